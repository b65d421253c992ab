//! Leases: who may carry an effect out, and when.

use coord_core::ids::EffectKey;

use crate::sample::{Home, at, effect, settled};

fn keys(leased: &[coord_store::LeasedEffect]) -> Vec<&str> {
    leased.iter().map(|effect| effect.key.as_str()).collect()
}

#[tokio::test]
async fn what_is_due_is_leased_in_order_and_only_once() {
    let home = Home::new();
    let store = home.store().await;
    for (key, not_before) in [
        ("close:late", Some(at(50))),
        ("close:b", None),
        ("close:a", None),
    ] {
        store
            .transact(at(1), move |_| effect(key, not_before))
            .await
            .unwrap();
    }
    assert_eq!(store.next_due().await.unwrap(), Some(at(1)));
    assert_eq!(
        keys(&store.lease_due("me", at(2), 30, 1).await.unwrap()),
        ["close:b"]
    );
    assert_eq!(
        keys(&store.lease_due("me", at(2), 30, 9).await.unwrap()),
        ["close:a"]
    );
    assert_eq!(store.lease_due("you", at(31), 30, 9).await.unwrap(), []);
    // The two leases end at 32, long before the time of the third.
    assert_eq!(store.next_due().await.unwrap(), Some(at(32)));

    let again = store.lease_due("you", at(32), 30, 9).await.unwrap();
    assert_eq!(keys(&again), ["close:b", "close:a"]);
    assert!(again.iter().all(|effect| effect.attempts == 2));
    let row = &store.outbox().await.unwrap()[1];
    assert_eq!(row.lease, Some(("you".to_owned(), at(62))));

    for key in ["close:a", "close:b"] {
        store.transact(at(40), move |_| settled(key)).await.unwrap();
    }
    assert_eq!(store.next_due().await.unwrap(), Some(at(50)));
    assert_eq!(
        keys(&store.lease_due("me", at(50), 1, 9).await.unwrap()),
        ["close:late"]
    );
    store
        .transact(at(51), |_| settled("close:late"))
        .await
        .unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn one_effect_can_be_leased_by_its_key() {
    let home = Home::new();
    let store = home.store().await;
    let key = EffectKey::from("close:1");
    assert_eq!(store.lease_one(&key, "me", at(1), 9).await.unwrap(), None);
    store
        .transact(at(1), |_| effect("close:1", Some(at(5))))
        .await
        .unwrap();
    assert_eq!(store.lease_one(&key, "me", at(4), 9).await.unwrap(), None);
    let leased = store
        .lease_one(&key, "me", at(5), 9)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&leased.key, leased.attempts), (&key, 1));
    assert_eq!(store.lease_one(&key, "you", at(6), 9).await.unwrap(), None);
    assert!(
        store
            .lease_one(&key, "you", at(14), 9)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn only_the_owner_of_a_lease_may_prolong_it_or_give_it_back() {
    let home = Home::new();
    let store = home.store().await;
    let key = EffectKey::from("close:1");
    store
        .transact(at(1), |_| effect("close:1", None))
        .await
        .unwrap();
    store
        .lease_one(&key, "me", at(1), 10)
        .await
        .unwrap()
        .unwrap();
    assert!(!store.renew(&key, "you", at(5), 10).await.unwrap());
    assert!(!store.reschedule(&key, "you", at(5), "no").await.unwrap());
    assert!(store.renew(&key, "me", at(5), 10).await.unwrap());
    assert_eq!(
        store.lease_one(&key, "you", at(14), 10).await.unwrap(),
        None
    );

    assert!(
        store
            .reschedule(&key, "me", at(20), "timed out")
            .await
            .unwrap()
    );
    let row = store.outbox().await.unwrap().remove(0);
    assert_eq!(row.lease, None);
    assert_eq!(row.last_error.as_deref(), Some("timed out"));
    assert_eq!(row.not_before, at(20));
    assert_eq!(
        store.lease_one(&key, "you", at(19), 10).await.unwrap(),
        None
    );
    assert!(
        store
            .lease_one(&key, "you", at(20), 10)
            .await
            .unwrap()
            .is_some()
    );
    assert!(!store.renew(&key, "me", at(21), 10).await.unwrap());

    store
        .transact(at(22), |_| settled("close:1"))
        .await
        .unwrap();
    assert!(!store.renew(&key, "you", at(23), 10).await.unwrap());
    assert!(!store.reschedule(&key, "you", at(23), "no").await.unwrap());
}
