//! One connection as the gate's steps see it: its peer, and what is known of its partner.
//!
//! Enters: a connection. Leaves: the partner that its certificate names, as of now. What was
//! found out is kept for the calls to come and is good for exactly as long as the directory
//! stands as it did; the clock is asked each time.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::connection::Connection;
use super::metrics::WellEnded;
use super::peer::PeerIdentity;
use super::quota::Share;
use super::service::{Gate, Parts};
use super::token::Carried;
use crate::app::access::Identified;
use crate::domain::partner::Partner;
use crate::error::Error;

/// A connection before the gate.
pub(super) struct Guest {
    connection: Arc<Connection>,
    gate: Gate,
    address: Arc<str>,
    thumbprint: Arc<str>,
    known: Mutex<Option<Arc<Known>>>,
    carried: Carried,
}

/// The partner of a connection, and where it is counted.
pub(super) struct Known {
    as_of: u64,
    pub(super) partner: Arc<Partner>,
    pub(super) share: Arc<Share>,
    pub(super) well: Arc<WellEnded>,
}

impl Guest {
    pub(super) fn new(connection: Arc<Connection>, gate: Gate) -> Arc<Self> {
        let peer = connection.peer();
        Arc::new(Self {
            address: peer.address().to_string().into(),
            thumbprint: peer.thumbprint().into(),
            known: Mutex::default(),
            carried: Carried::default(),
            connection,
            gate,
        })
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(super) fn peer(&self) -> &PeerIdentity {
        self.connection.peer()
    }

    pub(super) fn parts(&self) -> &Parts {
        self.gate.parts()
    }

    /// Where the connection comes from, as text.
    pub(super) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// The thumbprint of its certificate, as tokens have it.
    pub(super) fn thumbprint(&self) -> &Arc<str> {
        &self.thumbprint
    }

    /// The token its calls carried last.
    pub(super) fn carried(&self) -> &Carried {
        &self.carried
    }

    /// The active partner whom exactly one attribute of the certificate names.
    pub(super) fn identify(&self, now: Timestamp) -> Result<Arc<Known>, Error> {
        let known = self.named(now)?;
        let_in(&known.partner)?;
        Ok(known)
    }

    /// The partner whom exactly one attribute of the certificate names, suspended or not.
    pub(super) fn named(&self, now: Timestamp) -> Result<Arc<Known>, Error> {
        // A connection outlives the moment its certificate was verified.
        if now > self.peer().not_after() {
            return Err(Error::unauthenticated(
                "CERTIFICATE_EXPIRED",
                "the client certificate has expired since the connection was made",
            ));
        }
        let parts = self.parts();
        let mut kept = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref()
            && known.as_of == parts.directory.version()
        {
            return Ok(known.clone());
        }
        let (as_of, identified) = parts.directory.by_identity_as_of(self.peer().identities());
        let partner = one(identified)?;
        let share = parts.quotas.share(&partner, as_of);
        let well = parts.metrics.of_partner(&partner.id);
        let known = Arc::new(Known { as_of, partner, share, well });
        *kept = Some(known.clone());
        Ok(known)
    }
}

fn one(identified: Identified) -> Result<Arc<Partner>, Error> {
    match identified {
        Identified::Partner(partner) => Ok(partner),
        Identified::Unknown => Err(Error::unauthenticated(
            "CERTIFICATE_UNKNOWN",
            "the client certificate belongs to no partner: ask the operator to bind it",
        )),
        Identified::Ambiguous => Err(Error::unauthenticated(
            "CERTIFICATE_AMBIGUOUS",
            "the client certificate has more than one attribute that names a partner: ask the \
             operator to leave one of them bound",
        )),
    }
}

/// Refuses a suspended partner.
pub(super) fn let_in(partner: &Partner) -> Result<(), Error> {
    if partner.is_active() {
        return Ok(());
    }
    Err(Error::permission(
        "PARTNER_SUSPENDED",
        "this partner is suspended: ask the operator why and for how long",
    ))
}
