//! Protos to code, descriptors and the table of who may call what.
//!
//! Enters: `proto/`. Leaves, in `OUT_DIR`: one Rust file a package (messages,
//! clients, servers), `descriptors.bin` (everything the protos say, custom
//! options too), `access.rs` (one row a method). Needs no protoc. Fails on a
//! method that has no access rule, and on a changing method that lacks what
//! every change has.

#[path = "build/access.rs"]
mod access;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorSet;

/// Vendored files that no proto of ours imports, but whose messages come as
/// details of an error: clients resolve them through reflection.
const DETAILS: [&str; 2] = ["google/rpc/error_details.proto", "google/rpc/status.proto"];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let root = Path::new("proto");
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/access.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let descriptors = compile(root)?;
    fs::write(out.join("descriptors.bin"), &descriptors)?;
    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    fs::write(out.join("access.rs"), access::access_table(&pool)?)?;
    generate(&descriptors)
}

/// Compiles our protos and returns the descriptor set as protox encodes it:
/// decoded and encoded anew it would lose the custom options.
fn compile(root: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    protos_under(&root.join("puente"), &mut files)?;
    files.extend(DETAILS.iter().map(|file| root.join(file)));
    files.sort();
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files)?;
    Ok(compiler.encode_file_descriptor_set())
}

fn protos_under(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            protos_under(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// Writes the Rust code of our packages and of the few types of `google.type`;
/// `google.protobuf` must be there to be referred to, its code is prost-types.
fn generate(descriptors: &[u8]) -> Result<()> {
    let mut set = FileDescriptorSet::decode(descriptors)?;
    set.file.retain(|file| {
        ["puente.", "google.type", "google.protobuf"]
            .iter()
            .any(|package| file.package().starts_with(package))
    });
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .codec_path("crate::proto::codec::SmallFirst")
        .compile_fds(set)?;
    Ok(())
}
