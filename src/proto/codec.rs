//! Messages to bytes and back, in buffers fit for small ones.
//!
//! Enters and leaves: messages of the contract, by prost. tonic's own codec takes 8 KiB twice for
//! each call, to hold what is mostly 100 bytes; these grow when more is needed.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Bytes of a call's buffers at first, and by which they grow.
const AT_FIRST: usize = 512;
/// Bytes of a stream's answers that are gathered before they are sent; as in tonic.
const GATHERED: usize = 32 * 1024;

/// The codec of the generated clients and servers.
#[derive(Clone, Debug)]
pub struct SmallFirst<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallFirst<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallFirst<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(AT_FIRST, GATHERED))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(AT_FIRST, GATHERED))
    }
}
