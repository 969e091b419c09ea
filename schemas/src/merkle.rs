//! Merkle maths of RFC 6962 and RFC 9162: roots, inclusion and consistency proofs.
//!
//! Invariants: leaves and nodes are hashed in disjoint domains; a proof is consumed to its last
//! hash or refused; nothing recurses, and no proof is longer than [`PROOF_HASHES_MAX`].
//!
//! Whoever proves gives a function that reads the root of the complete subtree of `2^level` leaves
//! that starts at leaf `index * 2^level`; [`crate::tile::TileReader`] reads them from tiles.

use sha2::{Digest, Sha256};

/// A SHA-256 hash of a leaf, a node or a tree.
pub type Hash = [u8; 32];

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Most hashes of one proof: a tree of 2^63 leaves has 63 levels below its root, and a consistency
/// proof names one more.
pub const PROOF_HASHES_MAX: usize = 64;

/// Hash of a leaf that holds `data`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// Hash of the node over two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The right edge of a growing tree: enough to append and to compute the root, nothing else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, one for each bit set in `size`, largest first.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The frontier of an empty tree.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// The frontier of `size` leaves from its subtree roots, largest first.
    ///
    /// Returns `None` if their number does not fit the size.
    pub fn from_parts(size: u64, subtrees: Vec<Hash>) -> Option<Frontier> {
        (size.count_ones() as usize == subtrees.len()).then_some(Frontier { size, subtrees })
    }

    /// Reads the frontier of the first `size` leaves from where the tree is kept.
    pub fn read<E>(
        size: u64,
        mut read: impl FnMut(u32, u64) -> Result<Hash, E>,
    ) -> Result<Frontier, E> {
        let subtrees = subtrees_of(0, size).map(|(level, index)| read(level, index));
        Ok(Frontier { size, subtrees: subtrees.collect::<Result<_, _>>()? })
    }

    /// The subtree roots, largest first.
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut rest) = (leaf, self.size);
        while rest & 1 == 1 {
            let left = self.subtrees.pop().expect("one subtree for each bit of the size");
            hash = node_hash(&left, &hash);
            rest >>= 1;
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        fold(&self.subtrees)
    }
}

/// The root of the first `size` leaves.
pub fn root_from_read<E>(
    size: u64,
    mut read: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    range_root(0, size, &mut read)
}

/// The hashes that prove leaf `index` against the root of the first `size` leaves, leaf to root.
///
/// `read(level, index)` gives the root of the complete subtree over the leaves from
/// `index << level` to before `(index + 1) << level`:
///
/// ```
/// use hallmark_schemas::merkle::{Frontier, inclusion_proof, leaf_hash, verify_inclusion};
/// use std::convert::Infallible;
///
/// let leaves: Vec<_> = (0..5_u8).map(|n| leaf_hash(&[n])).collect();
/// let root_of = |leaves: &[_]| {
///     let mut frontier = Frontier::new();
///     leaves.iter().for_each(|leaf| frontier.push(*leaf));
///     frontier.root()
/// };
/// let read = |level: u32, index: u64| {
///     let (start, count) = ((index as usize) << level, 1 << level);
///     Ok::<_, Infallible>(root_of(&leaves[start..start + count]))
/// };
/// let proof = inclusion_proof(3, 5, read)?;
/// let root = root_of(&leaves);
/// assert_eq!(verify_inclusion(&leaves[3], 3, 5, &proof, &root), Ok(()));
/// assert!(verify_inclusion(&leaves[3], 2, 5, &proof, &root).is_err(), "another place");
/// # Ok::<(), Infallible>(())
/// ```
///
/// # Panics
/// If `index` is not below `size`: there is nothing to prove.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(index < size, "leaf {index} is not in a tree of {size} leaves");
    let (mut lo, mut hi, mut proof) = (0, size, Vec::new());
    while 1 < hi - lo {
        let middle = lo + split(hi - lo);
        if index < middle {
            proof.push(range_root(middle, hi, &mut read)?);
            hi = middle;
        } else {
            proof.push(range_root(lo, middle, &mut read)?);
            lo = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that prove that the tree of `new` leaves begins with the tree of `old` leaves.
///
/// # Panics
/// If `old` is above `new`: no tree shrinks.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut read: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(old <= new, "a tree of {new} leaves cannot begin with {old}");
    let (mut lo, mut hi, mut proof) = (0, new, Vec::new());
    if old == 0 {
        return Ok(proof);
    }
    while old != hi {
        let middle = lo + split(hi - lo);
        if old <= middle {
            proof.push(range_root(middle, hi, &mut read)?);
            hi = middle;
        } else {
            proof.push(range_root(lo, middle, &mut read)?);
            lo = middle;
        }
    }
    if lo != 0 {
        proof.push(range_root(lo, hi, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that leaf `leaf` is the one at `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let found = root_from_inclusion(leaf, index, size, proof)?;
    if found == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// The root that an inclusion proof leads to.
pub fn root_from_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if size <= index {
        return Err(ProofError::IndexBeyondTree { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(hash) } else { Err(ProofError::TooShort) }
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if new < old {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 {
        return match (proof, *old_root == EMPTY_ROOT) {
            ([_, ..], _) => Err(ProofError::TooLong),
            ([], false) => Err(ProofError::OtherRoot),
            ([], true) if new == 0 && *new_root != EMPTY_ROOT => Err(ProofError::OtherRoot),
            ([], true) => Ok(()),
        };
    }
    let first = Subtree { start: 0, end: old };
    first.verify_consistency(old_root, new, new_root, proof)
}

/// The root of the tree of `old` leaves with which a tree of root `new_root` begins, by a consistency
/// proof that may be for another root of that size; `None` if the proof leads elsewhere.
///
/// The proof for a size that is a power of two begins at the old root itself and tells no other.
pub fn prefix_of(old: u64, new: u64, new_root: &Hash, proof: &[Hash]) -> Option<Hash> {
    if old == 0 || new <= old || old.is_power_of_two() {
        return None;
    }
    let (start, rest) = proof.split_first()?;
    let (prefix, found) = Subtree { start: 0, end: old }.roots(new, *start, rest).ok()?;
    (found == *new_root).then_some(prefix)
}

/// Leaves of a tree that form a subtree: a part of the tree from a multiple of the least power of
/// two that is not below its length, as `tlog-mirror` and Merkle Tree Certificates use it. The tree
/// of an earlier size is the one that starts at 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subtree {
    start: u64,
    end: u64,
}

impl Subtree {
    /// The leaves from `start` to before `end`; `None` if they are no subtree.
    pub fn new(start: u64, end: u64) -> Option<Subtree> {
        let width =
            end.checked_sub(start).filter(|leaves| 0 < *leaves)?.checked_next_power_of_two()?;
        start.is_multiple_of(width).then_some(Subtree { start, end })
    }

    /// Checks that leaf `leaf` is the one at `index` of the whole tree, by the subtree's root.
    pub fn verify_inclusion(
        &self,
        leaf: &Hash,
        index: u64,
        proof: &[Hash],
        root: &Hash,
    ) -> Result<(), ProofError> {
        let size = self.end - self.start;
        let beyond = ProofError::IndexBeyondTree { index, size: self.end };
        verify_inclusion(leaf, index.checked_sub(self.start).ok_or(beyond)?, size, proof, root)
    }

    /// Checks that the tree of `size` leaves has this subtree with this root.
    pub fn verify_consistency(
        &self,
        subtree_root: &Hash,
        size: u64,
        root: &Hash,
        proof: &[Hash],
    ) -> Result<(), ProofError> {
        if size < self.end {
            return Err(ProofError::Shrunk { old: self.end, new: size });
        }
        let (first, node, _) = self.right_node(size);
        let (begin, rest) = if first == node {
            (*subtree_root, proof)
        } else {
            let (begin, rest) = proof.split_first().ok_or(ProofError::TooShort)?;
            (*begin, rest)
        };
        match self.roots(size, begin, rest)? {
            roots if roots == (*subtree_root, *root) => Ok(()),
            _ => Err(ProofError::OtherRoot),
        }
    }

    /// The largest node that lies wholly in the subtree and at its right end: the first leaf of the
    /// subtree, that node, and the last of the tree, all at the level of the node.
    fn right_node(&self, size: u64) -> (u64, u64, u64) {
        let (mut first, mut node, mut last) = (self.start, self.end - 1, size - 1);
        let at_edge = node == last;
        while first != node && (at_edge || node & 1 == 1) {
            (first, node, last) = (first >> 1, node >> 1, last >> 1);
        }
        (first, node, last)
    }

    /// Both roots, of the subtree and of the tree, that a proof gives which begins at `begin`.
    fn roots(&self, size: u64, begin: Hash, rest: &[Hash]) -> Result<(Hash, Hash), ProofError> {
        let (mut first, mut node, mut last) = self.right_node(size);
        let (mut subtree_hash, mut hash) = (begin, begin);
        for sibling in rest {
            if last == 0 {
                return Err(ProofError::TooLong);
            }
            if node & 1 == 1 || node == last {
                if first < node {
                    subtree_hash = node_hash(sibling, &subtree_hash);
                }
                hash = node_hash(sibling, &hash);
                while node & 1 == 0 && node != 0 {
                    (first, node, last) = (first >> 1, node >> 1, last >> 1);
                }
            } else {
                hash = node_hash(&hash, sibling);
            }
            (first, node, last) = (first >> 1, node >> 1, last >> 1);
        }
        if last == 0 { Ok((subtree_hash, hash)) } else { Err(ProofError::TooShort) }
    }
}

/// Largest power of two below `leaves`, which are at least two.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The complete subtrees, as (level, index), that make up the leaves from `lo` to before `hi`,
/// where `lo` is a multiple of a power of two that is not below `hi - lo`.
fn subtrees_of(lo: u64, hi: u64) -> impl Iterator<Item = (u32, u64)> {
    let mut at = lo;
    std::iter::from_fn(move || {
        if at == hi {
            return None;
        }
        let level = (hi - at).ilog2();
        let index = at >> level;
        at += 1 << level;
        Some((level, index))
    })
}

fn range_root<E>(
    lo: u64,
    hi: u64,
    read: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let subtrees = subtrees_of(lo, hi).map(|(level, index)| read(level, index));
    Ok(fold(&subtrees.collect::<Result<Vec<_>, E>>()?))
}

fn fold(subtrees: &[Hash]) -> Hash {
    let hashes = subtrees.iter().copied().rev();
    hashes.reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}

/// What a proof fails to prove.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No leaf of this tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexBeyondTree {
        /// The leaf.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A log never loses a leaf.
    #[error("the tree shrank from {old} to {new} leaves")]
    Shrunk {
        /// Size before.
        old: u64,
        /// Size after.
        new: u64,
    },
    /// Hashes are missing.
    #[error("the proof is too short for the tree")]
    TooShort,
    /// Hashes are left over.
    #[error("the proof is too long for the tree")]
    TooLong,
    /// The proof is well-formed and leads elsewhere.
    #[error("the proof leads to another root")]
    OtherRoot,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tree by the recursive definition of RFC 9162 section 2.1.1.
    struct Naive(Vec<Hash>);

    impl Naive {
        fn new(size: u64) -> Naive {
            Naive((0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect())
        }

        fn root(leaves: &[Hash]) -> Hash {
            match leaves {
                [] => EMPTY_ROOT,
                [leaf] => *leaf,
                _ => {
                    let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                    node_hash(&Naive::root(left), &Naive::root(right))
                }
            }
        }

        fn read(&self, level: u32, index: u64) -> Result<Hash, std::convert::Infallible> {
            let start = (index << level) as usize;
            Ok(Naive::root(&self.0[start..start + (1 << level)]))
        }

        fn first(&self, size: u64) -> Hash {
            Naive::root(&self.0[..size as usize])
        }
    }

    #[test]
    fn every_way_to_a_root_agrees() {
        let tree = Naive::new(70);
        let mut frontier = Frontier::new();
        for size in 0..=70 {
            let root = tree.first(size);
            assert_eq!(frontier.root(), root);
            assert_eq!(root_from_read(size, |l, i| tree.read(l, i)), Ok(root));
            assert_eq!(Frontier::read(size, |l, i| tree.read(l, i)), Ok(frontier.clone()));
            let parts = Frontier::from_parts(size, frontier.subtrees().to_vec());
            assert_eq!(parts, Some(frontier.clone()));
            if let Some(leaf) = tree.0.get(size as usize) {
                frontier.push(*leaf);
            }
        }
        assert_eq!(Frontier::from_parts(3, vec![EMPTY_ROOT]), None);
    }

    #[test]
    fn all_proofs_of_small_trees_verify() {
        let tree = Naive::new(40);
        for size in 1..=40 {
            let root = tree.first(size);
            for index in 0..size {
                let proof = inclusion_proof(index, size, |l, i| tree.read(l, i)).unwrap();
                let leaf = &tree.0[index as usize];
                assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            }
            for old in 0..=size {
                let proof = consistency_proof(old, size, |l, i| tree.read(l, i)).unwrap();
                assert_eq!(
                    verify_consistency(old, &tree.first(old), size, &root, &proof),
                    Ok(()),
                    "{old} of {size}"
                );
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Change {
        Flip(usize, usize),
        Drop(usize),
        Repeat(usize),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (any::<usize>(), 0..256usize).prop_map(|(at, bit)| Change::Flip(at, bit)),
            any::<usize>().prop_map(Change::Drop),
            any::<usize>().prop_map(Change::Repeat),
        ]
    }

    fn changed(proof: &[Hash], change: Change) -> Vec<Hash> {
        let mut proof = proof.to_vec();
        match (change, proof.len()) {
            (_, 0) => proof.push([0; 32]),
            (Change::Flip(at, bit), n) => proof[at % n][bit / 8] ^= 1 << (bit % 8),
            (Change::Drop(at), n) => drop(proof.remove(at % n)),
            (Change::Repeat(at), n) => proof.insert(at % n, proof[at % n]),
        }
        proof
    }

    proptest! {
        #[test]
        fn changed_proofs_are_refused(
            size in 2..300u64, index in 0..300u64, old in 1..300u64, change in change(),
        ) {
            let (index, old) = (index % size, 1 + old % (size - 1));
            let tree = Naive::new(size);
            let (root, old_root) = (tree.first(size), tree.first(old));
            let leaf = tree.0[index as usize];
            let proof = inclusion_proof(index, size, |l, i| tree.read(l, i)).unwrap();
            prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            let bad = changed(&proof, change);
            prop_assert!(verify_inclusion(&leaf, index, size, &bad, &root).is_err());
            prop_assert!(verify_inclusion(&root, index, size, &proof, &root).is_err());
            let proof = consistency_proof(old, size, |l, i| tree.read(l, i)).unwrap();
            prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
            let bad = changed(&proof, change);
            prop_assert!(verify_consistency(old, &old_root, size, &root, &bad).is_err());
        }

        #[test]
        fn verifiers_never_panic(
            index: u64, size: u64, new: u64, proof in prop::collection::vec(any::<Hash>(), 0..70),
        ) {
            let hash = [1; 32];
            prop_assert!(verify_inclusion(&hash, index, size, &proof, &[2; 32]).is_err());
            prop_assert!(verify_consistency(size, &hash, new, &[2; 32], &proof).is_err());
        }
    }
}
