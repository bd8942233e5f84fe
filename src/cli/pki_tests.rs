use super::*;

#[test]
fn commands_at_the_same_time_lose_no_certificate_and_no_revocation() {
    let (folder, env) = (tempfile::tempdir().unwrap(), Env::system());
    fs::create_dir(folder.path().join("pki")).unwrap();
    let day = SignedDuration::from_hours(24);
    let authority = Shelf::of(folder.path()).create(&env, day).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (authority, env) = (&authority, &env);
            let shelf = Shelf::of(folder.path());
            scope.spawn(move || {
                let profile = pki::Profile::client("customs", day);
                let issued = authority.issue(env, &profile).unwrap();
                shelf.note(&format!("p{n}"), &issued).unwrap();
                shelf.revoke(env, authority, &issued.serial).unwrap();
            });
        }
    });
    let shelf = Shelf::of(folder.path());
    let list = shelf.revocations().unwrap();
    assert_eq!((list.number, list.revoked.len(), shelf.records().unwrap().len()), (9, 8, 8));
}
