//! Little-endian numbers inside a mapped file, without copying where the machine allows it.

use std::borrow::Cow;

use bytes::Bytes;

/// A number that files hold in little-endian order.
pub(crate) trait Word: bytemuck::AnyBitPattern + bytemuck::NoUninit + Send + Sync {
    /// Reads one number from exactly as many bytes as it has.
    fn from_le(bytes: &[u8]) -> Self;

    /// The number with its bytes in the order of a file.
    fn to_le(self) -> Self;
}

macro_rules! word {
    ($($number:ty),*) => {$(
        impl Word for $number {
            fn from_le(bytes: &[u8]) -> Self {
                let mut word = [0; size_of::<$number>()];
                word.copy_from_slice(bytes);
                <$number>::from_le_bytes(word)
            }

            fn to_le(self) -> Self {
                <$number>::to_le(self)
            }
        }
    )*};
}

word!(u16, u32, u64, i32, i64);

/// Numbers of a file: the map itself, or a copy where the map is not aligned for them.
#[derive(Debug, Clone)]
pub(crate) enum Words<T> {
    /// Aligned for `T` and a whole number of them; checked when it was made.
    Mapped(Bytes),
    /// Any other machine, any other alignment.
    Copied(std::sync::Arc<[T]>),
}

impl<T: Word> Words<T> {
    /// Reads the bytes as numbers. `None` if they are not a whole number of them.
    pub(crate) fn new(bytes: Bytes) -> Option<Self> {
        if !bytes.len().is_multiple_of(size_of::<T>()) {
            return None;
        }
        if cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, T>(&bytes).is_ok() {
            return Some(Self::Mapped(bytes));
        }
        Some(Self::Copied(bytes.chunks_exact(size_of::<T>()).map(T::from_le).collect()))
    }

    /// The numbers.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Mapped(bytes) => bytemuck::cast_slice(bytes),
            Self::Copied(words) => words,
        }
    }
}

impl<T> From<Vec<T>> for Words<T> {
    fn from(words: Vec<T>) -> Self {
        Self::Copied(words.into())
    }
}

/// The bytes of a file that holds these numbers.
pub(crate) fn le_bytes<T: Word>(words: &[T]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(words));
    }
    let swapped: Vec<T> = words.iter().map(|&word| word.to_le()).collect();
    Cow::Owned(bytemuck::cast_slice(&swapped).to_vec())
}
