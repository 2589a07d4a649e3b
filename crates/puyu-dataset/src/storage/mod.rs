//! Objects in S3, Google Cloud Storage, Azure or behind HTTP, read like local files.
//!
//! The rest of this crate is blocking code; this module keeps one small runtime for all requests
//! of a [`Storage`] and waits for it through channels, so it may be called from any thread, also
//! from inside another async runtime. Credentials are options that the caller passes: nothing is
//! read from the environment, and no message shows a URL's query, where signatures live.

mod blocks;
mod object;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::runtime::{Builder, Runtime};
use url::Url;

pub use blocks::Blocks;
pub use object::{Object, ObjectReader};

use crate::error::DatasetError;

/// A bucket, container or web root.
///
/// ```
/// use puyu_dataset::storage::Storage;
///
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("诗.jsonl"), "{\"text\": \"白日依山尽\"}\n")?;
/// # let url = format!("file://{}", folder.path().display());
/// // `s3://bucket/prefix`, `gs://…`, `az://…`, `https://…` look the same.
/// let (storage, prefix) = Storage::open(&url, [("region", "cn-north-1")])?;
/// let objects = storage.list(&prefix)?;
/// assert_eq!(objects.len(), 1);
/// assert_eq!(objects[0].size(), 28);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// Scheme and host, for messages.
    name: Arc<str>,
    requests: Arc<Requests>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Storage {
    /// Opens the storage of a URL; returns it with the path inside it.
    ///
    /// The options are those of the `object_store` crate: `access_key_id`, `region`, `endpoint`, …
    /// Options that a scheme does not know are ignored.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the text is no URL of a known scheme or an option is unusable.
    pub fn open<'a>(
        url: &str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(Self, String), DatasetError> {
        let expected = "a URL such as s3://bucket/prefix, gs://, az://, https:// or file://";
        let wrong = |found: String| DatasetError::Option {
            option: "url",
            expected: expected.to_owned(),
            found,
        };
        let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        let (store, path) = object_store::parse_url_opts(&parsed, options)
            .map_err(|error| wrong(error.to_string()))?;
        let name = format!("{}://{}", parsed.scheme(), parsed.host_str().unwrap_or_default());
        Ok((Self::from_store(store.into(), name)?, path.to_string()))
    }

    /// Uses a store that the caller has made.
    ///
    /// `name` stands before paths in messages: `s3://bucket`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the system gives no thread for the requests.
    pub fn from_store(
        store: Arc<dyn ObjectStore>,
        name: impl Into<Arc<str>>,
    ) -> Result<Self, DatasetError> {
        let name = name.into();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("puyu-storage")
            .enable_all()
            .build()
            .map_err(DatasetError::io("start requests to", &*name))?;
        Ok(Self { store, name, requests: Arc::new(Requests(Some(runtime))) })
    }

    /// All objects below a prefix, ordered by path.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the storage refuses.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>, DatasetError> {
        let store = self.store.clone();
        let path = self.path(prefix)?;
        let listed = self
            .requests
            .wait(async move { store.list(Some(&path)).try_collect::<Vec<_>>().await });
        let mut objects: Vec<Object> = listed
            .map_err(self.io("list", prefix))?
            .into_iter()
            .map(|meta| Object::new(self.clone(), meta.location, meta.size))
            .collect();
        objects.sort_by(|a, b| a.path().cmp(b.path()));
        Ok(objects)
    }

    /// One object by its path.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if it does not exist or the storage refuses.
    pub fn object(&self, path: &str) -> Result<Object, DatasetError> {
        let store = self.store.clone();
        let location = self.path(path)?;
        let meta = self
            .requests
            .wait(async move { store.head(&location).await })
            .map_err(self.io("open", path))?;
        Ok(Object::new(self.clone(), meta.location, meta.size))
    }

    /// The name of a path in messages.
    fn full_name(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}/{path}", self.name))
    }

    fn path(&self, path: &str) -> Result<ObjectPath, DatasetError> {
        ObjectPath::parse(path).map_err(|error| DatasetError::Option {
            option: "path",
            expected: "a path inside the storage".to_owned(),
            found: error.to_string(),
        })
    }

    fn io(
        &self,
        action: &'static str,
        path: &str,
    ) -> impl FnOnce(object_store::Error) -> DatasetError + use<> {
        let path = self.full_name(path);
        move |error| {
            let kind = match &error {
                object_store::Error::NotFound { .. } => std::io::ErrorKind::NotFound,
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. } => {
                    std::io::ErrorKind::PermissionDenied
                }
                _ => std::io::ErrorKind::Other,
            };
            DatasetError::Io { action, path, source: std::io::Error::new(kind, error) }
        }
    }
}

/// The runtime that requests run on.
struct Requests(Option<Runtime>);

impl Requests {
    /// Runs a request to its end.
    ///
    /// Waits on a channel instead of `block_on`, which panics inside another runtime.
    fn wait<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, object_store::Error>> + Send + 'static,
    ) -> Result<T, object_store::Error> {
        self.begin(request).recv().unwrap_or_else(|_| {
            let source = "the request ended without an answer".into();
            Err(object_store::Error::Generic { store: "storage", source })
        })
    }

    /// Starts a request; its answer arrives in the channel.
    fn begin<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.0.as_ref().expect("the runtime lives until the drop");
        runtime.spawn(async move {
            // Nobody listens any more when a reader was dropped before its answer came.
            let _ = sender.send(request.await);
        });
        receiver
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A plain drop would wait for running requests, and panics inside another runtime.
            runtime.shutdown_background();
        }
    }
}
