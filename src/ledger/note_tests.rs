use super::*;

/// The key and note of Go's `golang.org/x/mod/sumdb/note` documentation and tests.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), &[seed; 32]).unwrap()
}

#[test]
fn signs_as_go_does() {
    let key = SigningKey::from_secret_text(PETER_SECRET).unwrap();
    assert_eq!(key.verifying_key().to_string(), PETER);
    let note = Note::sign(TEXT.to_owned(), &[&key]).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER_LINE}\n"));
    let known = [PETER.parse().unwrap()];
    assert_eq!(note.to_string().parse::<Note>().unwrap().verify(&known).unwrap().len(), 1);
}

#[test]
fn a_secret_reads_back_and_is_never_shown() {
    let name: KeyName = "ledger.example/puente".parse().unwrap();
    let secret = SigningKey::secret_text(name.clone(), &[9; 32]).unwrap();
    let read = SigningKey::from_secret_text(&format!("{}\n", *secret)).unwrap();
    assert_eq!(read.verifying_key(), key(name.as_str(), 9).verifying_key());
    assert!(!format!("{read:?}").contains("9, 9, 9, 9"));
    let other = secret.replace("puente", "fuente");
    assert_eq!(SigningKey::from_secret_text(&other).unwrap_err(), NoteError::KeyId);
}

#[test]
fn several_keys_may_sign_and_unknown_lines_are_ignored() {
    let (log, witness, stranger) = (key("log", 1), key("witness", 2), key("stranger", 3));
    let note = Note::sign("a\n\nb\n".into(), &[&log, &witness, &stranger]).unwrap();
    let note: Note = note.to_string().parse().unwrap();
    assert_eq!(note.text(), "a\n\nb\n");
    let known = [witness.verifying_key().clone(), log.verifying_key().clone()];
    assert_eq!(note.verify(&known).unwrap().len(), 2);
    let nobody = [key("nobody", 4).verifying_key().clone()];
    assert_eq!(note.verify(&nobody), Err(NoteError::NoKnownSignature));
    // The same name under another key is another key.
    let namesake = [key("log", 5).verifying_key().clone()];
    assert_eq!(note.verify(&namesake), Err(NoteError::NoKnownSignature));
}

#[test]
fn a_wrong_or_repeated_signature_of_a_known_key_sinks_the_note() {
    let (log, witness) = (key("log", 1), key("witness", 2));
    let known = [log.verifying_key().clone(), witness.verifying_key().clone()];
    let mut note = Note::sign("a\n".into(), &[&log, &witness]).unwrap();
    note.signatures[1].bytes[3] ^= 1;
    let wrong = NoteError::BadSignature("witness".parse().unwrap());
    assert_eq!(note.verify(&known), Err(wrong));
    let twice = Note::sign("a\n".into(), &[&log, &log]).unwrap();
    assert!(twice.verify(&known).is_err());
    let changed = Note { text: "b\n".into(), ..Note::sign("a\n".into(), &[&log]).unwrap() };
    assert!(changed.verify(&known).is_err());
}

#[test]
fn notes_are_parsed_strictly() {
    let good = format!("{TEXT}\n{PETER_LINE}\n");
    assert!(good.parse::<Note>().is_ok());
    for (bad, error) in [
        (TEXT.to_owned(), NoteError::Unsigned),
        (format!("{TEXT}\n"), NoteError::SignatureLine),
        (format!("{TEXT}\n{PETER_LINE}"), NoteError::SignatureLine),
        (good.replace("\u{2014}", "-"), NoteError::SignatureLine),
        (good.replace("PeterNeumann x", "PeterNeumann  x"), NoteError::SignatureLine),
        (good.replace("JnAM=", "JnAM"), NoteError::SignatureLine),
        (good.replace("JnAM=", "JnAN="), NoteError::SignatureLine),
        (good.replace("PeterNeumann", "Peter+Neumann"), NoteError::KeyName),
        (good.replace("problem,", "problem,\r"), NoteError::Text),
        (good.clone() + &format!("{PETER_LINE}\n").repeat(100), NoteError::TooLong),
    ] {
        assert_eq!(bad.parse::<Note>().unwrap_err(), error, "{bad}");
    }
}

#[test]
fn keys_are_parsed_strictly() {
    for bad in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpcBRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
    ] {
        assert!(bad.parse::<VerifyingKey>().is_err(), "{bad}");
    }
    assert_eq!(PETER.parse::<VerifyingKey>().unwrap().to_string(), PETER);
}
