//! What a passport says once a record about the goods is gone.

use hallmark_schemas::attestation::{ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body as Stated;
use hallmark_schemas::kind::erasure::Erasure;

use super::*;
use crate::admission::AdmitError;
use crate::files::now;
use crate::keys::random;
use crate::sign::claims;

fn recall(before: Option<&str>) -> Value {
    let mut recall = json!({ "kind": "recall", "sub": CLASS, "payload": {
        "recall": "R-1", "why": { "en": "It leaks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } });
    if let Some(before) = before {
        recall["payload"]["replaces"] = before.into();
        recall["payload"]["reason"] = "all were returned".into();
        recall["payload"]["lifted_at"] = "2026-02-01T00:00:00Z".into();
    }
    recall
}

/// Hands in the erasure of a record, and waits until its body is gone.
async fn erase(world: &World, id: &str) -> Result<String, AdmitError> {
    let erased: ContentId = id.parse().unwrap();
    let record = world.app.node.body(&erased).unwrap().unwrap();
    let goods = Erasure::goods_of(&Envelope::parse(&record).unwrap());
    assert!(!goods.is_empty());
    let org = &world.app.config.org;
    let claims = claims(org, Subject::Org(org.clone()), Audience::Public, Vec::new(), now());
    let body = Stated::Erasure(Erasure { erased, reason: "a court asked".to_owned(), goods });
    let erasure = sign(Draft { claims, body }, random(), &world.org_key()).unwrap();
    world.app.admit(erasure.stored().to_vec()).await?;
    world.app.node.recorded(&erasure.id()).await.unwrap();
    let path = format!("/v1/attestations/{id}");
    while get(world, &path, "application/json").await.0 != StatusCode::GONE {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(erasure.id().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_of_which_a_record_was_erased_are_never_called_complete() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let stored = attest(&world, event(2, "S1", "storing", json!("public"))).await;
    attest(&world, event(3, "S2", "commissioning", json!("public"))).await;
    let erasure = erase(&world, &stored).await.unwrap();
    let (_, told) = json_at(&world, PATH).await;
    assert_eq!(told["state"], "consistent", "{told}");
    let erased = &told["erased"][0];
    assert_eq!((&erased["id"], &erased["record"]), (&json!(erasure), &json!(stored)));
    assert_eq!(erased["reason"], "a court asked");
    let sentence = told["state_text"]["en"].as_str().unwrap();
    assert!(sentence.contains("erased") && !sentence.contains("complete"), "{sentence}");
    let records = told["proof"]["records"].as_array().unwrap();
    assert!(records.iter().any(|one| one["id"] == *erasure), "it can be checked: {records:?}");
    for (language, words) in [("en", "was erased on "), ("zh", "已被删除，日期为 ")] {
        let page = page_at(&world, &format!("{PATH}?lang={language}")).await;
        assert!(page.contains(words) && page.contains("a court asked"), "{page}");
        assert!(!page.contains("complete and consistent") && !page.contains("完整且一致"));
    }
    let (_, other) = json_at(&world, "/01/09520123456788/21/S2").await;
    assert_eq!(other["erased"], json!([]), "it was not about this one");
    world.app.node.reindex().await.unwrap();
    let (_, again) = json_at(&world, &format!("{PATH}?17=991231")).await;
    assert_eq!(again["erased"], told["erased"], "an index that is built anew has it too");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_is_erased_once_it_is_lifted_and_all_its_goods_tell_of_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let first = attest(&world, recall(None)).await;
    let refused = erase(&world, &first).await.unwrap_err();
    assert!(crate::api::problem::with_causes(&refused).contains("lift it first"), "{refused}");
    assert_eq!(json_at(&world, PATH).await.1["state"], "recalled");
    attest(&world, recall(Some(&first))).await;
    erase(&world, &first).await.unwrap();
    let (_, told) = json_at(&world, PATH).await;
    assert_eq!(told["state"], "consistent", "{told}");
    assert_eq!(told["erased"][0]["record"], *first);
    world.end();
}
