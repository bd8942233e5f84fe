//! Who records delegations, who reads them, and what stands of two at once.

use super::*;
use crate::app::partners::NewPartner;
use crate::app::test_stage::Stage;

const ONE: &str = "30500010912";
const TWO: &str = "33693450239";

async fn stage() -> Stage {
    let stage = Stage::set().await;
    for (id, role) in
        [("broker", Role::Broker), ("second", Role::Broker), ("shop", Role::Marketplace)]
    {
        let new = NewPartner {
            id: id.parse().unwrap(),
            role,
            agency: None,
            display_name: id.into(),
            identities: vec![format!("san_uri:urn:puente:partner:{id}").parse().unwrap()],
            scopes: None,
            limits: None,
        };
        stage.app.create_partner(&stage.intent("operator"), new).await.unwrap();
    }
    stage
}

fn days(from: &str, to: Option<&str>) -> NewFact {
    NewFact {
        effect: Effect::Granted,
        valid_from: from.parse().unwrap(),
        valid_to: to.map(|day| day.parse().unwrap()),
        source: "Poder 7".parse().unwrap(),
    }
}

async fn record(stage: &Stage, broker: &str, cuit: &str, fact: &NewFact) -> Result<Written<Shown>> {
    let customs = stage.caller("customs", Role::Customs);
    let pair = (&broker.parse().unwrap(), cuit.parse().unwrap());
    stage.app.record_delegation(&customs, &stage.intent("customs"), pair, "", fact).await
}

#[tokio::test]
async fn customs_records_for_brokers_that_are_there_and_nobody_else_does() {
    let stage = stage().await;
    let fact = days("2026-05-01", None);
    for id in ["nobody", "shop"] {
        assert_eq!(record(&stage, id, ONE, &fact).await.unwrap_err().reason, "UNKNOWN_BROKER");
    }
    let broker = stage.caller("broker", Role::Broker);
    let pair = (&"broker".parse().unwrap(), ONE.parse().unwrap());
    let intent = stage.intent("broker");
    let own = stage.app.record_delegation(&broker, &intent, pair, "", &fact).await.unwrap_err();
    assert_eq!(own.reason, "NOT_CUSTOMS");
    let key = record(&stage, "broker", ONE, &fact).await.unwrap().value.key;
    let source = "x".parse().unwrap();
    let app = &stage.app;
    let own = app.revoke_delegation(&broker, &intent, &key, "", None, &source).await.unwrap_err();
    assert_eq!(own.reason, "NOT_CUSTOMS");
    let customs = stage.caller("customs", Role::Customs);
    let ahead = Some("2026-06-02".parse().unwrap());
    let intent = stage.intent("customs");
    let ahead = app.revoke_delegation(&customs, &intent, &key, "", ahead, &source).await;
    assert_eq!(ahead.unwrap_err().fields[0].field, "revoked_from");
    let stale = app.revoke_delegation(&customs, &intent, &key, "\"7\"", None, &source).await;
    assert_eq!(stale.unwrap_err().reason, "STALE_ETAG");
    let revoked = app.revoke_delegation(&customs, &intent, &key, "", None, &source).await.unwrap();
    assert_eq!(revoked.value.state, DelegationState::Revoked);
}

#[tokio::test]
async fn each_broker_reads_its_own_and_lists_answer_for_days_and_moments() {
    let stage = stage().await;
    let past = record(&stage, "broker", ONE, &days("2026-01-01", Some("2026-02-28"))).await;
    let past = past.unwrap().value.key;
    stage.clock.advance(86_400);
    let held = record(&stage, "broker", TWO, &days("2026-01-01", None)).await.unwrap().value.key;
    let others = record(&stage, "second", ONE, &days("2026-01-01", None)).await.unwrap().value.key;

    let callers = ["broker", "second"].map(|id| stage.caller(id, Role::Broker));
    let customs = stage.caller("customs", Role::Customs);
    let shop = stage.caller("shop", Role::Marketplace);
    let keys = async |caller: &Caller, query: DelegationsQuery| -> Vec<String> {
        let mut query = DelegationsQuery { limit: 1, ..query };
        let mut found = Vec::new();
        loop {
            let page = stage.app.list_delegations(caller, &query).await.unwrap();
            found.extend(page.items.into_iter().map(|shown| shown.key));
            match page.next {
                Some(next) => query.after = next,
                None => return found,
            }
        }
    };
    let sorted = |keys: &[&String]| {
        let mut keys: Vec<String> = keys.iter().map(|key| (*key).clone()).collect();
        keys.sort_unstable();
        keys
    };
    let everything = DelegationsQuery::default;
    assert_eq!(keys(&customs, everything()).await, sorted(&[&past, &held, &others]));
    assert_eq!(keys(&callers[0], everything()).await, sorted(&[&past, &held]));
    assert_eq!(keys(&callers[1], everything()).await, sorted(&[&others]));
    assert!(keys(&shop, everything()).await.is_empty());
    let asked = DelegationsQuery { broker: "second".parse().ok(), ..everything() };
    assert!(keys(&callers[0], asked.clone()).await.is_empty());
    assert_eq!(keys(&customs, asked).await, sorted(&[&others]));
    let asked = DelegationsQuery { exporter: ONE.parse().ok(), ..everything() };
    assert_eq!(keys(&customs, asked).await, sorted(&[&past, &others]));
    let on = |day: &str| DelegationsQuery { active_on: day.parse().ok(), ..everything() };
    assert_eq!(keys(&customs, on("2026-06-02")).await, sorted(&[&held, &others]));
    assert_eq!(keys(&customs, on("2026-02-01")).await, sorted(&[&past, &held, &others]));
    let known = "2026-06-01T23:00:00Z".parse().ok();
    let asked = DelegationsQuery { as_known_at: known, ..on("2026-02-01") };
    assert_eq!(keys(&customs, asked).await, sorted(&[&past]), "as known the day before");

    for (caller, seen) in [(&callers[0], true), (&callers[1], false), (&shop, false)] {
        let got = stage.app.delegation(caller, &held).await;
        assert_eq!(got.is_ok(), seen);
        if let Err(error) = got {
            assert_eq!(error, Error::not_found());
        }
    }
}

#[tokio::test]
async fn of_one_pair_there_is_one_delegation_also_when_it_is_recorded_twice_at_once() {
    let stage = stage().await;
    let facts = ["2026-05-01", "2026-05-02", "2026-05-03"].map(|day| days(day, None));
    let (one, two, three) = tokio::join!(
        record(&stage, "broker", ONE, &facts[0]),
        record(&stage, "broker", ONE, &facts[1]),
        record(&stage, "broker", ONE, &facts[2]),
    );
    for outcome in [one, two, three] {
        if let Err(error) = outcome {
            assert_eq!(error.reason, "DELEGATION_EXISTS");
        }
    }
    let customs = stage.caller("customs", Role::Customs);
    let query = DelegationsQuery { limit: 10, ..DelegationsQuery::default() };
    let page = stage.app.list_delegations(&customs, &query).await.unwrap();
    assert_eq!(page.items.len(), 1);
}
