//! The trie of cached blocks: starts of sequences that are computed already.
//!
//! A node stands for one full block of tokens after exactly one parent. Its identity is the parent
//! and the tokens, both compared exactly; hashes only find candidates. Under one parent there is at
//! most one node for the same tokens.
//!
//! Nodes that no sequence holds are evicted, least recently used first, and leaves before their
//! parents. Whoever holds a node holds all nodes above it, so what is below an unheld node is
//! unheld too, and every unheld node can be evicted in the end.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::blocks::BlockId;

/// The number of a node. Reused after eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

/// What stands before a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Parent {
    /// Nothing: the block is the first of its sequence. Starts with different salts never meet.
    Root {
        /// Whose starts these are.
        salt: u64,
    },
    /// Another block.
    Node(NodeId),
}

#[derive(Debug)]
struct Node {
    key: u64,
    parent: Parent,
    tokens: Box<[u32]>,
    block: BlockId,
    n_children: usize,
    is_held: bool,
    /// When it was last let go, on the trie's own counter.
    last_used: u64,
}

type HashTokens = fn(&Parent, &[u32]) -> u64;

/// Cached blocks by the tokens that they hold.
#[derive(Debug)]
pub(crate) struct PrefixTrie {
    nodes: Vec<Option<Node>>,
    vacant: Vec<NodeId>,
    by_key: HashMap<u64, Vec<NodeId>>,
    /// Unheld nodes without children, the next one to evict first.
    evictable: BTreeSet<(u64, NodeId)>,
    n_unheld: usize,
    clock: u64,
    hash: HashTokens,
}

impl PrefixTrie {
    pub(crate) fn new() -> Self {
        Self::with_hash(hash_tokens)
    }

    pub(crate) fn with_hash(hash: HashTokens) -> Self {
        Self {
            nodes: Vec::new(),
            vacant: Vec::new(),
            by_key: HashMap::new(),
            evictable: BTreeSet::new(),
            n_unheld: 0,
            clock: 0,
            hash,
        }
    }

    /// Nodes that no sequence holds.
    pub(crate) fn n_unheld(&self) -> usize {
        self.n_unheld
    }

    /// The node for exactly these tokens after exactly this parent.
    pub(crate) fn find(&self, parent: Parent, tokens: &[u32]) -> Option<NodeId> {
        let candidates = self.by_key.get(&(self.hash)(&parent, tokens))?;
        candidates.iter().copied().find(|&id| {
            let node = self.node(id);
            node.parent == parent && *node.tokens == *tokens
        })
    }

    /// The block of a node.
    pub(crate) fn block(&self, id: NodeId) -> BlockId {
        self.node(id).block
    }

    /// Adds a node that is held. The caller has made sure that [`find`](Self::find) finds none.
    pub(crate) fn insert(&mut self, parent: Parent, tokens: &[u32], block: BlockId) -> NodeId {
        debug_assert!(self.find(parent, tokens).is_none(), "a node is published once");
        let key = (self.hash)(&parent, tokens);
        let tokens = tokens.into();
        let node = Node {
            key,
            parent,
            tokens,
            block,
            n_children: 0,
            is_held: true,
            last_used: self.clock,
        };
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.nodes.push(None);
                // There are no more nodes than blocks, whose numbers are 32 bits wide.
                NodeId(self.nodes.len() as u32 - 1)
            }
        };
        self.nodes[id.0 as usize] = Some(node);
        self.by_key.entry(key).or_default().push(id);
        if let Parent::Node(parent) = parent {
            self.node_mut(parent).n_children += 1;
        }
        id
    }

    /// Notes that a sequence holds the node again.
    pub(crate) fn hold(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        if !node.is_held {
            node.is_held = true;
            let entry = (node.last_used, id);
            self.n_unheld -= 1;
            self.evictable.remove(&entry);
        }
    }

    /// Notes that no sequence holds the node any more.
    pub(crate) fn let_go(&mut self, id: NodeId) {
        self.clock += 1;
        let now = self.clock;
        let node = self.node_mut(id);
        debug_assert!(node.is_held, "only a held node is let go");
        node.is_held = false;
        node.last_used = now;
        let is_leaf = node.n_children == 0;
        self.n_unheld += 1;
        if is_leaf {
            self.evictable.insert((now, id));
        }
    }

    /// Removes the least recently used of the leaves that nobody holds, and returns its block.
    pub(crate) fn evict(&mut self) -> Option<BlockId> {
        let (_, id) = self.evictable.pop_first()?;
        let node = self.nodes[id.0 as usize].take().expect("evictable nodes exist");
        self.vacant.push(id);
        self.n_unheld -= 1;
        if let Some(same_key) = self.by_key.get_mut(&node.key) {
            same_key.retain(|&other| other != id);
            if same_key.is_empty() {
                self.by_key.remove(&node.key);
            }
        }
        if let Parent::Node(parent) = node.parent {
            self.lose_child(parent);
        }
        Some(node.block)
    }

    fn lose_child(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.n_children -= 1;
        if node.n_children == 0 && !node.is_held {
            let entry = (node.last_used, id);
            self.evictable.insert(entry);
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id.0 as usize].as_ref().expect("ids are given up when their node is evicted")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id.0 as usize].as_mut().expect("ids are given up when their node is evicted")
    }
}

/// Where a block may be found. A parent stands for all that is above it, so its number is enough.
fn hash_tokens(parent: &Parent, tokens: &[u32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (parent, tokens).hash(&mut hasher);
    hasher.finish()
}
