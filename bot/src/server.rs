//! Starting and stopping: builds everything from the configuration, in the order in which it can
//! fail cheaply first.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use crm::{CrmError, Store};
use generate::{
    ApiKey, Engine, EngineConfig, GenerateError, Generator, Remote, RemoteConfig, Silent,
};
use models::{ModelError, ModelStore, Registry};
use parking_lot::RwLock;
use retrieval::{Encoder, EncoderError, EncoderFiles};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use understand::{Heads, HeadsError, Understander};

use crate::app::{App, Connections};
use crate::audience::Hub;
use crate::auth::ConversationKeys;
use crate::channels;
use crate::clock::{Clock, OnDay, SystemClock};
use crate::config::{Backend, Config, ConfigError, Secret};
use crate::desk::Catalogue;
use crate::door::{Answers, Dispatcher, Door};
use crate::http::router;
use crate::jobs;
use crate::library::{Library, LibraryError};
use crate::prompts::{PromptError, Prompts};
use crate::telemetry;
use crate::turn::{self, Services};
use crate::voice::Voice;
use crate::world::{self, WorldError};

/// Conversations that remote servers write for at once, unless told.
const REMOTE_SLOTS: usize = 32;

/// Why the server does not start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address} ({source}); stop what uses it, or set another server.listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Cause.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error(
        "the data folder {path} cannot be written ({source}); check data.dir and its permissions"
    )]
    Data {
        /// The folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A model file.
    #[error(transparent)]
    Models(#[from] ModelError),
    /// The store.
    #[error(transparent)]
    Store(#[from] CrmError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The heads.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The templates.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// The index.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The language model.
    #[error("{0}; check the file with `frontdesk models`, or name another in `models.reply`")]
    Generate(#[from] GenerateError),
    /// The demo world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// What messaging platforms are called with.
    #[error("no HTTP client can be made: {0}")]
    HttpClient(#[from] reqwest::Error),
    /// Starting was cut off.
    #[error("the start was interrupted")]
    Interrupted,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    app: App,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts and returns when everything is ready: index up to date, model loaded.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        config.validate()?;
        telemetry::install_metrics();
        let listener = listen(config.server.listen).await?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: config.server.listen,
            source,
        })?;
        let keys = open_data(&config)?;
        let store = Store::connect(&config.data.location()).await?;
        if let Some(folder) = config.demo.world.clone() {
            config = world::settle(config, &store, &folder).await?;
        }
        let app = build(config, store, keys).await?;
        let taken_up = app.door.take_up().await?;
        if taken_up > 0 {
            tracing::info!("taking up {taken_up} conversations that were left unanswered");
        }
        jobs::start(&app);
        channels::start(&app);
        let shutdown = app.shutdown.clone();
        let service = router(app.clone());
        // Frames are small and answer one another: held back to be sent together, they would wait
        // 40 ms for the client's delayed acknowledgement.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!("a connection keeps Nagle's algorithm: {error}");
            }
        });
        let serving = tokio::spawn(async move {
            axum::serve(listener, service)
                .with_graceful_shutdown(shutdown.cancelled_owned())
                .await
        });
        Ok(Self {
            address,
            app,
            serving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its CRM store.
    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// Whether anybody may sign in as a demo customer.
    pub fn is_demo(&self) -> bool {
        self.app.config.demo.enabled
    }

    /// Stops: takes no new messages, lets running turns finish for the configured grace or parks
    /// them, closes the connections, and the store last.
    pub async fn stop(self) {
        let grace = Duration::from_secs(self.app.config.server.grace_seconds);
        self.app.dispatcher.close(grace).await;
        self.app.shutdown.cancel();
        self.app.tracker.close();
        if tokio::time::timeout(Duration::from_secs(5), self.app.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "{} connections did not close in time",
                self.app.tracker.len()
            );
        }
        if tokio::time::timeout(Duration::from_secs(5), self.serving)
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
        self.app.store.close().await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Makes the data folder with its key, before anything that takes long.
fn open_data(config: &Config) -> Result<ConversationKeys, StartError> {
    let path = &config.data.dir;
    let failed = |source| StartError::Data {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(path).map_err(failed)?;
    // A folder that has everything already shows only when it is written that it is read-only.
    let probe = path.join(".writable");
    std::fs::write(&probe, "").map_err(failed)?;
    std::fs::remove_file(&probe).map_err(failed)?;
    ConversationKeys::open(path).map_err(failed)
}

async fn build(config: Config, store: Store, keys: ConversationKeys) -> Result<App, StartError> {
    let prompts = load_prompts(&config)?;
    let models = model_store(&config)?;
    // Loading the language model and bringing the index up to date take the longest: side by side.
    let generator = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || load_generator(&config, &models))
    };
    let encoder = {
        let config = config.clone();
        let load = tokio::task::spawn_blocking(move || load_encoder(&config));
        load.await.map_err(|_| StartError::Interrupted)??
    };
    let heads = load_heads(&config, &encoder)?;
    let boundaries = prompts.own_pack().boundaries().clone();
    let library = Library::open(&config, store.clone(), encoder.clone(), boundaries).await?;
    library.sync(&jobs::show_progress).await?;
    let catalogue = Catalogue::new(library.all_products().await?, prompts.own_pack());
    let generator = generator.await.map_err(|_| StartError::Interrupted)??;
    let clock: Arc<dyn Clock> = match config.company.day() {
        Some(day) => Arc::new(OnDay { day }),
        None => Arc::new(SystemClock),
    };
    let voice = Voice::new(Arc::new(prompts), Arc::new(config.company.clone()));
    let prefix = voice.system_prompt(voice.fallback(), clock.today())?;
    if let Loaded::Local(engine) = &generator {
        engine.warm(std::slice::from_ref(&prefix)).await?;
    }
    let packs = voice.prompts().packs().clone();
    let understander = Understander::new(encoder, heads)?.with_packs(packs);
    let (hub, library): (Arc<Hub>, _) = (Arc::default(), Arc::new(library));
    let services = Arc::new(Services {
        records: Arc::new(store.clone()),
        reader: Arc::new(turn::Heads(Arc::new(understander))),
        finder: Arc::clone(&library) as _,
        catalogue: Arc::new(RwLock::new(Arc::new(catalogue))),
        generator: generator.handle(),
        hub: Arc::clone(&hub),
        settings: turn::Settings {
            instructions: voice.instructions(clock.today())?,
            voice: voice.clone(),
            clock: Arc::clone(&clock),
            config: Arc::new(config),
        },
    });
    open_door(store, services, hub, clock, library, keys)
}

fn open_door(
    store: Store,
    services: Arc<Services>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    library: Arc<Library>,
    keys: ConversationKeys,
) -> Result<App, StartError> {
    let answers: Arc<dyn Answers> = Arc::clone(&services) as _;
    let dispatcher = Dispatcher::new(answers, Arc::clone(&hub), Arc::clone(&clock));
    let config = Arc::clone(&services.settings.config);
    let channels = channels::connect(&config)?;
    let door = Door {
        store: store.clone(),
        hub,
        dispatcher: Arc::clone(&dispatcher),
        voice: services.settings.voice.clone(),
        clock,
        max_message_chars: config.server.max_message_chars,
    };
    Ok(App {
        config,
        store,
        door: Arc::new(door),
        dispatcher,
        services,
        library,
        channels: Arc::new(channels),
        keys: Arc::new(keys),
        connections: Connections::default(),
        shutdown: CancellationToken::new(),
        tracker: TaskTracker::new(),
    })
}

/// The templates and packs that `config` names.
pub(crate) fn load_prompts(config: &Config) -> Result<Prompts, PromptError> {
    match &config.prompts.dir {
        Some(folder) => Prompts::load(folder),
        None => Prompts::builtin(),
    }
}

/// The model files that `config` names.
///
/// # Errors
/// [`ModelError`] when no folder can be told.
pub fn model_store(config: &Config) -> Result<ModelStore, ModelError> {
    let folder = match &config.models.dir {
        Some(folder) => folder.clone(),
        None => ModelStore::default_folder()?,
    };
    Ok(ModelStore::new(folder, Registry::builtin()))
}

/// Loads the text encoder that `config` names.
///
/// # Errors
/// [`StartError::Models`] when a file is missing or damaged, [`StartError::Encoder`].
pub fn load_encoder(config: &Config) -> Result<Encoder, StartError> {
    let models = model_store(config)?;
    Ok(Encoder::load(&EncoderFiles {
        model: models.path(&config.models.encoder)?,
        runtime: models.path("onnxruntime")?,
    })?)
}

/// The built-in heads for `encoder`, and the company's own, which go before them.
///
/// # Errors
/// [`HeadsError`].
pub fn load_heads(config: &Config, encoder: &Encoder) -> Result<Vec<Heads>, HeadsError> {
    let mut heads = Heads::builtin(encoder)?;
    if let Some(own) = &config.understand.heads {
        heads.push(Heads::load(own, encoder)?);
    }
    Ok(heads)
}

/// What writes.
enum Loaded {
    Local(Engine),
    Remote(Arc<Remote>),
    None,
}

impl Loaded {
    fn handle(&self) -> Arc<dyn Generator> {
        match self {
            Self::Local(engine) => Arc::new(engine.clone()),
            Self::Remote(remote) => Arc::clone(remote) as Arc<dyn Generator>,
            Self::None => Arc::new(Silent),
        }
    }
}

/// The local model as the configuration wants it.
pub(crate) fn engine_config(
    config: &Config,
    models: &ModelStore,
) -> Result<EngineConfig, StartError> {
    let generate = &config.generate;
    Ok(EngineConfig {
        context_tokens: generate
            .context_tokens
            .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
        step_tokens: generate.step_tokens,
        slots: generate
            .slots
            .map(|slots| u16::try_from(slots).unwrap_or(u16::MAX)),
        queue: generate.queue,
        threads: generate.threads,
        gpu_layers: generate.gpu_layers,
        cache_type: generate.cache_type,
        flash_attention: generate.flash_attention,
        kept_bytes: generate.kept_mib << 20,
        ..EngineConfig::new(models.resolve(&config.models.reply)?, &config.models.reply)
    })
}

fn load_generator(config: &Config, models: &ModelStore) -> Result<Loaded, StartError> {
    let generate = &config.generate;
    match generate.backend {
        Backend::Local if !generate.loads_a_model() => {
            tracing::info!("the pages answer in their own words: no language model is loaded");
            Ok(Loaded::None)
        }
        Backend::Local => {
            let engine = Engine::start(engine_config(config, models)?)?;
            Ok(Loaded::Local(engine))
        }
        Backend::Remote => {
            let missing = |key: &str| ConfigError {
                problems: vec![format!("{key} is missing")],
            };
            let api_key = generate.api_key.as_ref().map(Secret::reveal);
            let remote = Remote::new(RemoteConfig {
                base_urls: match generate.url.as_slice() {
                    [] => return Err(missing("generate.url").into()),
                    urls => urls.to_vec(),
                },
                model: generate
                    .model
                    .clone()
                    .ok_or_else(|| missing("generate.model"))?,
                api_key: api_key.map(|key| ApiKey::from(key.to_owned())),
                connect_timeout: Duration::from_secs(5),
                read_timeout: Duration::from_secs(30),
                max_in_flight: generate.slots.unwrap_or(REMOTE_SLOTS) + generate.queue,
            })?;
            Ok(Loaded::Remote(Arc::new(remote)))
        }
        Backend::None => Ok(Loaded::None),
    }
}
