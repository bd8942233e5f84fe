//! Strict reading of a compact JWS (RFC 7515, RFC 8725, RFC 9068): what a lenient
//! library lets through is refused here.
//!
//! Enters: the bytes of a token nobody has checked. Leaves: header, claims and the
//! signed text, well formed but **not** to be believed before the signature is.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fault::TokenFault;
use crate::domain::scope::{Scope, ScopeSet};

/// The longest token looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

/// A token taken apart.
#[derive(Debug)]
pub struct Jws<'a> {
    /// `alg` of the header: to be compared with the key's, never to choose by.
    pub algorithm: String,
    /// `kid` of the header.
    pub kid: String,
    /// The claims.
    pub claims: Claims,
    /// Header and claims as signed.
    pub signed: &'a [u8],
    /// The signature, base64url.
    pub signature: &'a str,
}

/// The claims of an access token, all required by RFC 9068 and RFC 8705 but `nbf`.
#[derive(Debug)]
pub struct Claims {
    /// Who made it.
    pub issuer: String,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The client it was given to.
    pub client_id: String,
    /// Its identifier.
    pub jti: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Before this it does not hold.
    pub not_before: Option<Timestamp>,
    /// From this moment on it does not hold.
    pub expires_at: Timestamp,
    /// SHA-256 of the certificate it is bound to, base64url.
    pub thumbprint: String,
    /// What it allows here; scopes of other services are left out.
    pub scopes: ScopeSet,
}

/// Takes a token apart.
pub fn parse(token: &str) -> Result<Jws<'_>, TokenFault> {
    if token.is_empty() {
        return Err(TokenFault::Missing);
    }
    if token.len() > MAX_TOKEN {
        return Err(TokenFault::Malformed("it is longer than 8 KiB"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenFault::Malformed("it does not have exactly three parts"));
    };
    let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
    let header = object(header)?;
    let (algorithm, kid) = read_header(&header)?;
    decode(signature)?;
    let claims = read_claims(&object(claims)?)?;
    Ok(Jws { algorithm, kid, claims, signed, signature })
}

fn read_header(header: &Map<String, Value>) -> Result<(String, String), TokenFault> {
    if header.contains_key("crit") {
        return Err(TokenFault::Malformed("its header asks for an extension (crit)"));
    }
    // Media types compare without regard to case (RFC 7515, 4.1.9).
    let typ = text(header, "typ", "its header has no typ")?;
    if !typ.eq_ignore_ascii_case("at+jwt") && !typ.eq_ignore_ascii_case("application/at+jwt") {
        return Err(TokenFault::Malformed("its typ is not at+jwt"));
    }
    let algorithm = text(header, "alg", "its header has no alg")?;
    let kid = text(header, "kid", "its header has no kid")?;
    // jku, x5u, jwk and x5c are not looked at: a token never says where its key is.
    Ok((algorithm, kid))
}

fn read_claims(claims: &Map<String, Value>) -> Result<Claims, TokenFault> {
    text(claims, "sub", "its sub is missing or no text")?;
    let scope = match claims.get("scope") {
        Some(Value::String(scope)) => scope,
        Some(_) | None => return Err(TokenFault::Malformed("its scope is missing or no text")),
    };
    let confirmation = match claims.get("cnf") {
        Some(Value::Object(cnf)) => cnf,
        Some(_) | None => return Err(TokenFault::Malformed("its cnf is missing or no object")),
    };
    Ok(Claims {
        issuer: text(claims, "iss", "its iss is missing or no text")?,
        audience: audience(claims)?,
        client_id: text(claims, "client_id", "its client_id is missing or no text")?,
        jti: text(claims, "jti", "its jti is missing or no text")?,
        issued_at: moment(claims, "iat", "its iat is missing or no whole number")?
            .ok_or(TokenFault::Malformed("its iat is missing"))?,
        not_before: moment(claims, "nbf", "its nbf is no whole number")?,
        expires_at: moment(claims, "exp", "its exp is no whole number")?
            .ok_or(TokenFault::Malformed("its exp is missing"))?,
        thumbprint: text(confirmation, "x5t#S256", "its cnf has no x5t#S256")?,
        scopes: scope.split(' ').filter_map(|word| word.parse::<Scope>().ok()).collect(),
    })
}

fn text(from: &Map<String, Value>, name: &str, fault: &'static str) -> Result<String, TokenFault> {
    match from.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) | None => Err(TokenFault::Malformed(fault)),
    }
}

fn audience(claims: &Map<String, Value>) -> Result<Vec<String>, TokenFault> {
    let fault = TokenFault::Malformed("its aud is missing or neither text nor texts");
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => {
            several.iter().map(|one| one.as_str().map(str::to_owned).ok_or(fault.clone())).collect()
        }
        Some(_) | None => Err(fault),
    }
}

fn moment(
    claims: &Map<String, Value>,
    name: &str,
    fault: &'static str,
) -> Result<Option<Timestamp>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().ok_or(TokenFault::Malformed(fault))?;
    Timestamp::from_second(seconds).map(Some).map_err(|_| TokenFault::Malformed(fault))
}

fn object(part: &str) -> Result<Map<String, Value>, TokenFault> {
    let bytes = decode(part)?;
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let value = Strict.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match value {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => {
            Err(TokenFault::Malformed("a part is no JSON object, or names a member twice"))
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenFault::Malformed("a part is not base64url without padding"))
}

/// Reads JSON and refuses an object that names a member twice, at any depth.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::Number(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(Value::Number(it.into()))
    }

    fn visit_f64<E: de::Error>(self, it: f64) -> Result<Value, E> {
        Number::from_f64(it).map(Value::Number).ok_or_else(|| E::custom("no finite number"))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(Value::String(it.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(value) = from.next_element_seed(Strict)? {
            out.push(value);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(Strict)?;
            if out.insert(name, value).is_some() {
                return Err(de::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(out))
    }
}
