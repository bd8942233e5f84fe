//! A contract with a hole in its access rules does not build: the rules of `build.rs`, on our own
//! descriptors with one thing changed.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};
use puente::proto::FILE_DESCRIPTOR_SET;

use crate::access_table::access_table;

const CREATE: &[(&str, &str)] = &[("service", "ListingService"), ("method", "CreateListing")];

/// What the build says once the part at `path` (field and name, outermost first) was changed.
fn built(path: &[(&str, &str)], change: impl Fn(&mut DynamicMessage)) -> Result<String, String> {
    let set = pool().get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = DynamicMessage::decode(set, FILE_DESCRIPTOR_SET).unwrap();
    let changed: usize = parts(&mut set, "file").map(|file| reach(file, path, &change)).sum();
    assert_eq!(changed, 1, "{path:?}");
    let pool = DescriptorPool::decode(set.encode_to_vec().as_slice()).unwrap();
    access_table(&pool).map_err(|fault| fault.to_string())
}

fn reach(
    from: &mut DynamicMessage,
    path: &[(&str, &str)],
    change: &impl Fn(&mut DynamicMessage),
) -> usize {
    let Some(((field, name), rest)) = path.split_first() else {
        change(from);
        return 1;
    };
    parts(from, field)
        .filter(|part| part.get_field_by_name("name").unwrap().as_str() == Some(name))
        .map(|part| reach(part, rest, change))
        .sum()
}

fn parts<'a>(
    of: &'a mut DynamicMessage,
    field: &str,
) -> impl Iterator<Item = &'a mut DynamicMessage> {
    let list = of.get_field_by_name_mut(field).unwrap().as_list_mut().unwrap();
    list.iter_mut().map(|part| part.as_message_mut().unwrap())
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

/// Puts these scopes in the place of a method's own.
fn scopes(method: &mut DynamicMessage, scopes: &[&str]) {
    let options = method.get_field_by_name_mut("options").unwrap().as_message_mut().unwrap();
    let pool = options.descriptor().parent_pool().clone();
    let option = pool.get_extension_by_name("puente.access.v1.access").unwrap();
    let mut rule = DynamicMessage::new(option.kind().as_message().unwrap().clone());
    let scopes = scopes.iter().map(|scope| Value::String((*scope).to_owned()));
    rule.set_field_by_name("scopes", Value::List(scopes.collect()));
    options.set_extension(&option, Value::Message(rule));
}

fn rename(part: &mut DynamicMessage, name: &str) {
    part.set_field_by_name("name", Value::String(name.to_owned()));
}

#[test]
fn a_method_without_an_access_rule_does_not_build() {
    let whole = built(CREATE, |_| {}).unwrap();
    assert!(whole.contains("CreateListing"), "the descriptors as they are build");
    let fault = built(CREATE, |method| method.clear_field_by_name("options")).unwrap_err();
    assert!(
        fault.starts_with("puente.listings.v1.ListingService.CreateListing has no access rule")
    );
    // A new method, which nobody thought of a rule for, is the same.
    let fault = built(CREATE, |method| {
        method.clear_field_by_name("options");
        rename(method, "StealListing");
    });
    assert!(fault.unwrap_err().contains("StealListing has no access rule"));
}

#[test]
fn a_rule_without_a_scope_or_with_an_unknown_one_does_not_build() {
    let fault = built(CREATE, |method| scopes(method, &[])).unwrap_err();
    assert!(fault.contains("CreateListing has an access rule without scopes"), "{fault}");
    let fault = built(CREATE, |method| scopes(method, &["listings.wirte"])).unwrap_err();
    assert!(fault.contains("unknown scope \"listings.wirte\""), "{fault}");
}

#[test]
fn a_change_without_request_id_or_receipt_does_not_build() {
    let field = |message, field| [("message_type", message), ("field", field)];
    let fault = built(&field("CreateListingRequest", "request_id"), |it| rename(it, "id"));
    assert!(fault.unwrap_err().contains("its request has no request_id"));
    let fault = built(&field("CreateListingResponse", "receipt"), |it| rename(it, "slip"));
    assert!(fault.unwrap_err().contains("its response has no receipt"));
}
