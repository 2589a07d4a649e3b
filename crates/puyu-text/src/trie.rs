//! Prefix tree over byte strings: the longest known string at the start of a text.

/// Maps byte strings to numbers and finds the longest one that a text starts with.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// For each byte, whether a known string starts with it.
    starts: Box<[bool; 256]>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Sorted by byte.
    children: Vec<(u8, u32)>,
    value: Option<u32>,
}

/// Where a walk from the root along a text ended.
pub(crate) struct Walk {
    /// Length in bytes and number of the longest known string.
    pub(crate) longest: Option<(usize, u32)>,
    /// Whether the text ended while a longer known string was still possible.
    pub(crate) is_open: bool,
}

impl Trie {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], starts: Box::new([false; 256]) }
    }

    /// Adds `text`, which stands for `value` from now on.
    pub(crate) fn insert(&mut self, text: &[u8], value: u32) {
        if let Some(&first) = text.first() {
            self.starts[usize::from(first)] = true;
        }
        let mut at = 0;
        for &byte in text {
            at = match self.nodes[at].children.binary_search_by_key(&byte, |child| child.0) {
                Ok(slot) => self.nodes[at].children[slot].1 as usize,
                Err(slot) => {
                    let new = self.nodes.len();
                    let index = u32::try_from(new).expect("callers bound the bytes they insert");
                    self.nodes[at].children.insert(slot, (byte, index));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        self.nodes[at].value = Some(value);
    }

    /// The first byte of `text` at which a known string may start.
    pub(crate) fn position_of_start(&self, text: &[u8]) -> Option<usize> {
        text.iter().position(|&byte| self.starts[usize::from(byte)])
    }

    /// Follows `text` as far as it is known and reports the longest string that `accept` takes.
    pub(crate) fn walk(&self, text: &[u8], accept: impl Fn(u32) -> bool) -> Walk {
        let mut longest = None;
        let mut node = &self.nodes[0];
        for (position, &byte) in text.iter().enumerate() {
            let Ok(slot) = node.children.binary_search_by_key(&byte, |child| child.0) else {
                return Walk { longest, is_open: false };
            };
            node = &self.nodes[node.children[slot].1 as usize];
            if let Some(value) = node.value.filter(|&value| accept(value)) {
                longest = Some((position + 1, value));
            }
        }
        Walk { longest, is_open: !text.is_empty() && !node.children.is_empty() }
    }
}
