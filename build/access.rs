//! The table of who may call what, from the descriptors: the rules that a method must have to build.
//!
//! Enters: a pool of descriptors with the custom options in it. Leaves: Rust source, one row a
//! method, or the method that breaks a rule. Shared by `build.rs` and the test of these rules.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Every scope there is; an access rule that names another is a mistake.
const SCOPES: [&str; 17] = [
    "analytics.read",
    "clearance.decide",
    "customs.read",
    "customs.write",
    "events.read",
    "ledger.read",
    "listings.read",
    "listings.write",
    "partners.admin",
    "periods.close",
    "reference.read",
    "registry.write",
    "rules.write",
    "sales.read",
    "sales.write",
    "sellers.read",
    "sellers.verify",
];

/// The only methods without a rule of ours, and whether the caller and the
/// server stream: a known client certificate suffices, no token is asked for.
const PUBLIC_METHODS: [(&str, bool, bool); 5] = [
    ("/grpc.health.v1.Health/Check", false, false),
    ("/grpc.health.v1.Health/List", false, false),
    ("/grpc.health.v1.Health/Watch", false, true),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true, true),
];

/// One method as the gate needs it.
struct Row {
    path: String,
    scopes: Option<BTreeSet<String>>,
    any_write_scope: bool,
    writes: bool,
    client_streams: bool,
    server_streams: bool,
}

/// The Rust source of the access table, sorted by path.
pub fn access_table(pool: &DescriptorPool) -> Result<String> {
    let mut rows = PUBLIC_METHODS.map(public_row).into_iter().collect::<Vec<_>>();
    for service in pool.services() {
        for method in service.methods() {
            rows.push(row(pool, &method)?);
        }
    }
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    let changing = rows.iter().filter(|row| row.writes);
    let write_scopes: BTreeSet<String> =
        changing.flat_map(|row| row.scopes.clone()).flatten().collect();

    let mut source = format!("pub const SCOPES: &[&str] = &{SCOPES:?};\n");
    let listed: Vec<_> = write_scopes.iter().collect();
    writeln!(source, "pub const WRITE_SCOPES: &[&str] = &{listed:?};")?;
    writeln!(source, "pub const ACCESS: &[MethodAccess] = &[")?;
    for row in &rows {
        let needs = match &row.scopes {
            None => "Needs::Certificate".to_owned(),
            Some(scopes) => {
                let mut scopes = scopes.clone();
                if row.any_write_scope {
                    scopes.extend(write_scopes.iter().cloned());
                }
                format!("Needs::AnyScope(&{:?})", scopes.into_iter().collect::<Vec<_>>())
            }
        };
        writeln!(
            source,
            "    MethodAccess {{ path: {:?}, needs: {needs}, writes: {}, client_streams: {}, server_streams: {} }},",
            row.path, row.writes, row.client_streams, row.server_streams
        )?;
    }
    source.push_str("];\n");
    Ok(source)
}

fn public_row((path, client_streams, server_streams): (&str, bool, bool)) -> Row {
    Row {
        path: path.to_owned(),
        scopes: None,
        any_write_scope: false,
        writes: false,
        client_streams,
        server_streams,
    }
}

fn row(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Row> {
    let name = method.full_name();
    let option = pool
        .get_extension_by_name("puente.access.v1.access")
        .ok_or("proto/puente/access/v1/options.proto no longer defines the option `access`")?;
    let options = method.options();
    if !options.has_extension(&option) {
        return Err(format!(
            "{name} has no access rule: add `option (puente.access.v1.access) = {{scopes: [...]}};`"
        )
        .into());
    }
    let rule = options.get_extension(&option);
    let rule = rule.as_message().ok_or("the option `access` is not a message")?;
    let scopes = scopes(rule);
    if scopes.is_empty() {
        return Err(format!("{name} has an access rule without scopes").into());
    }
    if let Some(scope) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(format!("{name} asks for the unknown scope {scope:?}").into());
    }
    let writes = has_field(&method.input(), "validate_only");
    if writes && !has_field(&method.input(), "request_id") {
        return Err(format!("{name} changes something, but its request has no request_id").into());
    }
    if writes && !has_field(&method.output(), "receipt") {
        return Err(format!("{name} changes something, but its response has no receipt").into());
    }
    Ok(Row {
        path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
        scopes: Some(scopes),
        any_write_scope: rule
            .get_field_by_name("any_write_scope")
            .and_then(|value| value.as_bool())
            .unwrap_or(false),
        writes,
        client_streams: method.is_client_streaming(),
        server_streams: method.is_server_streaming(),
    })
}

fn scopes(rule: &DynamicMessage) -> BTreeSet<String> {
    rule.get_field_by_name("scopes")
        .and_then(|value| {
            let list = value.as_list()?;
            Some(list.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect())
        })
        .unwrap_or_default()
}

/// Whether a message has a field, itself or in a message it holds: the request
/// of a stream carries it in its header.
fn has_field(message: &MessageDescriptor, field: &str) -> bool {
    message.get_field_by_name(field).is_some()
        || message.fields().any(|inner| match inner.kind() {
            Kind::Message(held) if !inner.is_list() => held.get_field_by_name(field).is_some(),
            _ => false,
        })
}
