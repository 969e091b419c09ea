//! Inclusion and consistency proofs of transparency-dev/merkle.

use hallmark_schemas::merkle::{Hash, Subtree, verify_consistency, verify_inclusion};
use serde_json::Value;

use crate::{folder, items, json, text, unbase64};

/// `None` if the vector's bytes are no hash: what has the wrong length cannot even be asked.
fn hash(value: &Value, name: &str) -> Option<Hash> {
    unbase64(value[name].as_str().unwrap_or_default()).try_into().ok()
}

fn proof(value: &Value) -> Option<Vec<Hash>> {
    let hashes = items(&value["proof"]).iter();
    hashes.map(|hash| unbase64(hash.as_str().unwrap_or_default()).try_into().ok()).collect()
}

#[test]
pub(crate) fn inclusion_proofs() {
    let Some(folder) = folder("merkle") else {
        return;
    };
    let vectors = json(&folder, "inclusion.json");
    assert_eq!(items(&vectors).len(), 68);
    for vector in items(&vectors) {
        let verdict = (|| {
            let (leaf, root) = (hash(vector, "leafHash")?, hash(vector, "root")?);
            let (index, size) = (vector["leafIdx"].as_u64()?, vector["treeSize"].as_u64()?);
            verify_inclusion(&leaf, index, size, &proof(vector)?, &root).ok()
        })();
        assert_eq!(verdict.is_none(), vector["wantErr"] == true, "{}", text(vector, "_path"));
    }
}

#[test]
pub(crate) fn consistency_proofs() {
    let Some(folder) = folder("merkle") else {
        return;
    };
    let vectors = json(&folder, "consistency.json");
    assert_eq!(items(&vectors).len(), 77);
    for vector in items(&vectors) {
        let verdict = (|| {
            // Equal texts that are no hashes are asked as equal hashes.
            let same = vector["root1"] == vector["root2"];
            let root = |name| hash(vector, name).or(same.then_some([9; 32]));
            let (old_root, new_root) = (root("root1")?, root("root2")?);
            let (old, new) = (vector["size1"].as_u64()?, vector["size2"].as_u64()?);
            verify_consistency(old, &old_root, new, &new_root, &proof(vector)?).ok()
        })();
        assert_eq!(verdict.is_none(), vector["wantErr"] == true, "{}", text(vector, "_path"));
    }
}

#[test]
pub(crate) fn inclusion_in_subtrees() {
    let Some(folder) = folder("merkle") else {
        return;
    };
    let vectors = json(&folder, "subtreeinclusion.json");
    assert_eq!(items(&vectors).len(), 144);
    for vector in items(&vectors) {
        let verdict = (|| {
            let (leaf, root) = (hash(vector, "leafHash")?, hash(vector, "root")?);
            let subtree = Subtree::new(vector["start"].as_u64()?, vector["end"].as_u64()?)?;
            let index = vector["leafIdx"].as_u64()?;
            subtree.verify_inclusion(&leaf, index, &proof(vector)?, &root).ok()
        })();
        assert_eq!(verdict.is_none(), vector["wantErr"] == true, "{}", text(vector, "_path"));
    }
}

#[test]
pub(crate) fn consistency_of_subtrees() {
    let Some(folder) = folder("merkle") else {
        return;
    };
    let vectors = json(&folder, "subtreeconsistency.json");
    assert_eq!(items(&vectors).len(), 66);
    for vector in items(&vectors) {
        let verdict = (|| {
            let (subtree_root, root) = (hash(vector, "root1")?, hash(vector, "root2")?);
            let subtree = Subtree::new(vector["start"].as_u64()?, vector["end"].as_u64()?)?;
            let size = vector["size"].as_u64()?;
            subtree.verify_consistency(&subtree_root, size, &root, &proof(vector)?).ok()
        })();
        assert_eq!(verdict.is_none(), vector["wantErr"] == true, "{}", text(vector, "_path"));
    }
}
