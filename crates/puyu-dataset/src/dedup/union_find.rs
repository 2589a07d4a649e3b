//! Disjoint sets whose representative is the smallest member.

use crate::error::DatasetError;

/// Disjoint sets over `0..len`, four bytes each.
///
/// The smaller root always stays the root. So the sets *and* the representatives depend on which
/// pairs were united, never on the order. Path halving keeps finds short: any order of `m`
/// operations costs `O(m log n)`.
///
/// ```
/// use puyu_dataset::dedup::UnionFind;
///
/// let mut sets = UnionFind::new(5)?;
/// sets.unite(4, 2);
/// sets.unite(4, 1);
/// assert_eq!(sets.find(4), 1);
/// assert_eq!(sets.find(3), 3);
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// Every number alone.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Limit`] above 2³² − 1 members.
    pub fn new(len: u64) -> Result<Self, DatasetError> {
        let len = u32::try_from(len).map_err(|_| DatasetError::Limit {
            what: "a union of documents".into(),
            needed: len,
            limit: u64::from(u32::MAX),
        })?;
        Ok(Self { parents: (0..len).collect() })
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The smallest member of the set of `member`.
    ///
    /// # Panics
    ///
    /// If `member` is not below [`len`](Self::len).
    pub fn find(&mut self, mut member: u32) -> u32 {
        loop {
            let parent = self.parents[member as usize];
            if parent == member {
                return member;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[member as usize] = grandparent;
            member = grandparent;
        }
    }

    /// Joins the sets of `a` and `b`; returns whether they were apart.
    ///
    /// # Panics
    ///
    /// If one is not below [`len`](Self::len).
    pub fn unite(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        let (small, large) = (a.min(b), a.max(b));
        self.parents[large as usize] = small;
        small != large
    }

    /// The smallest member of each member's set.
    pub fn into_representatives(mut self) -> Vec<u32> {
        // Parents are never larger than their children, so one pass upwards flattens all.
        for member in 0..self.parents.len() {
            let parent = self.parents[member] as usize;
            self.parents[member] = self.parents[parent];
        }
        self.parents
    }
}
