//! One member of a set and its peers, also before there is a set: looking, initiating, changing the configuration, users.
//!
//! What is done is decided in the crate `member`. Access is that of the servers among themselves, the user `__system` with the
//! key file's content: it exists in every state of a server, on peers too and before the first user, where the localhost
//! exception ends with the first user and never reaches peers (seen on 6.0.5).

mod configuration;
mod defaults;
mod look;
mod step_down;
mod users;

use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongodb::Client;
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress, Tls, TlsOptions};
use telemetry::redact_uri;

use crate::error::{ErrorKind, ReplsetError, Result};
use crate::topology::Hello;

pub use configuration::is_overtaken;
pub use defaults::WantedDefaults;
pub use look::LocalView;
pub use step_down::HandedOver;
pub use users::{FoundUser, Lock};

/// Longer than a majority needs that is well, shorter than a round of whoever asks again.
const WRITE_LIMIT: Duration = Duration::from_secs(15);
const MAJORITY: i32 = 10_000;
const USE_URI: &str = "use the connection string";

/// Whom to be at the server.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    Nobody,
    /// Whom the connection string names, if anybody.
    Uri,
    /// A server of the set.
    Key(&'a str),
    User(&'a str, &'a str),
}

/// One server, whatever its state.
#[derive(Clone)]
pub struct Server {
    client: Client,
    uri: String,
    host: String,
    limit: Duration,
}

/// The key that servers sign in with: what the file holds without white space. A list of keys (for their rotation) begins with
/// the one that they use themselves.
pub fn key_of(text: &str) -> Option<String> {
    let first = text.lines().find_map(|line| line.trim().strip_prefix("- "));
    let key: String =
        first.unwrap_or(text).chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
    (!key.is_empty()).then_some(key)
}

impl Server {
    /// Without `host` the one of the connection string. Nothing is sent yet.
    pub async fn open(uri: &str, host: Option<&str>, login: Login<'_>, limit: Duration) -> Result<Self> {
        let mut options = parsed(uri).await?;
        if let Some(host) = host {
            let address = ServerAddress::parse(host);
            options.hosts = vec![address.map_err(|error| ReplsetError::from_driver(&error, USE_URI, host))?];
        }
        Self::of(options, uri, login, limit)
    }

    /// As [`Server::open`] for the host of the connection string, and with TLS whatever certificate it shows. Only for what does no harm at a server
    /// that is another one: to have one that shows an expired certificate read a new one.
    pub async fn open_unverified(uri: &str, login: Login<'_>, limit: Duration) -> Result<Self> {
        let mut options = parsed(uri).await?;
        if let Some(Tls::Enabled(tls)) = &mut options.tls {
            tls.allow_invalid_certificates = Some(true);
        }
        Self::of(options, uri, login, limit)
    }

    fn of(mut options: ClientOptions, uri: &str, login: Login<'_>, limit: Duration) -> Result<Self> {
        let own = first_host(&options, uri)?;
        options.hosts.truncate(1);
        options.direct_connection = Some(true);
        options.repl_set_name = None;
        options.app_name = Some("tidemark member".to_owned());
        options.max_pool_size = Some(2);
        (options.connect_timeout, options.server_selection_timeout) = (Some(limit), Some(limit));
        (options.retry_reads, options.retry_writes) = (Some(false), Some(false));
        (options.read_concern, options.write_concern, options.selection_criteria) = (None, None, None);
        let scram = |name: &str, source: &str, password: &str| {
            let named = Credential::builder().username(name.to_owned()).source(source.to_owned());
            named.password(password.to_owned()).mechanism(AuthMechanism::ScramSha256).build()
        };
        match login {
            Login::Nobody => options.credential = None,
            Login::Uri => {}
            Login::Key(key) => options.credential = Some(scram("__system", "local", key)),
            Login::User(name, password) => options.credential = Some(scram(name, "admin", password)),
        }
        let client = Client::with_options(options)
            .map_err(|error| ReplsetError::from_driver(&error, USE_URI, &own).with_kind(ErrorKind::InvalidUri))?;
        Ok(Self { client, uri: uri.to_owned(), host: own, limit })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub async fn hello(&self) -> Result<Hello> {
        Ok(Hello::parse(&self.run("admin", "ask the server what it is", doc! { "hello": 1 }).await?))
    }

    /// Has the server read its certificates anew; connections that stand go on. One that it cannot use it refuses, and keeps what it has
    /// ([rotateCertificates](https://www.mongodb.com/docs/manual/reference/command/rotateCertificates/)).
    pub async fn rotate_certificates(&self) -> Result<()> {
        self.write("have the certificates read anew", doc! { "rotateCertificates": 1 }).await.map(drop)
    }

    /// Ends the connections at once.
    pub async fn close(self) {
        self.client.shutdown().immediate(true).await;
    }

    async fn run(&self, database: &str, what: &'static str, command: Document) -> Result<Document> {
        self.run_within(self.limit, database, what, command).await
    }

    async fn write(&self, what: &'static str, command: Document) -> Result<Document> {
        self.run_within(WRITE_LIMIT, "admin", what, command).await
    }

    async fn run_within(
        &self,
        limit: Duration,
        database: &str,
        what: &'static str,
        command: Document,
    ) -> Result<Document> {
        let database = self.client.database(database);
        match tokio::time::timeout(limit, database.run_command(command)).await {
            Ok(answer) => answer.map_err(|error| ReplsetError::from_driver(&error, what, &self.host)),
            Err(_elapsed) => Err(ReplsetError::timed_out(what, &self.host, limit)),
        }
    }
}

async fn parsed(uri: &str) -> Result<ClientOptions> {
    // The driver's message may quote the password.
    let refused = "it cannot be parsed; check the escaping of user and password, and its options";
    let invalid = |_| ReplsetError::new(ErrorKind::InvalidUri, USE_URI, &redact_uri(uri), refused);
    ClientOptions::parse(uri).await.map_err(invalid)
}

fn first_host(options: &ClientOptions, uri: &str) -> Result<String> {
    let none = || ReplsetError::new(ErrorKind::InvalidUri, USE_URI, &redact_uri(uri), "it names no host");
    options.hosts.first().map(ToString::to_string).ok_or_else(none)
}

/// The first host that the connection string names, as `HOST:PORT`.
pub async fn host_of(uri: &str) -> Result<String> {
    first_host(&parsed(uri).await?, uri)
}

/// One `hello`, for probes: no credentials, and never longer than `limit`, whatever takes the time.
pub async fn probe(uri: &str, limit: Duration) -> Result<Hello> {
    hello_within(uri, limit, Server::open(uri, None, Login::Nobody, limit)).await
}

/// As [`probe`], with TLS whatever certificate the server shows, and without the files of the connection string: whether it is alive does not hang
/// on them, and a restart would have it use what is in them now. A server that wants certificates of all clients refuses this one.
pub async fn probe_alive(uri: &str, limit: Duration) -> Result<Hello> {
    let open = async {
        let mut options = parsed(uri).await?;
        if let Some(Tls::Enabled(tls)) = &mut options.tls {
            *tls = TlsOptions::builder().allow_invalid_certificates(true).build();
        }
        Server::of(options, uri, Login::Nobody, limit)
    };
    hello_within(uri, limit, open).await
}

async fn hello_within(uri: &str, limit: Duration, open: impl Future<Output = Result<Server>>) -> Result<Hello> {
    let end = Instant::now() + limit;
    let ask = async { open.await?.hello().await };
    match tokio::time::timeout_at(end.into(), ask).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(ReplsetError::timed_out("ask the server what it is", &redact_uri(uri), limit)),
    }
}

/// Asks once more by the name that the set has for the server, when the connection string wants TLS: that name has to stand in its certificate.
pub async fn probe_as_others(uri: &str, hello: &Hello, limit: Duration) -> Result<()> {
    let Some(name) = &hello.me else { return Ok(()) };
    let options = ClientOptions::parse(uri).await;
    if !options.is_ok_and(|options| matches!(options.tls, Some(Tls::Enabled(_)))) {
        return Ok(());
    }
    let ask = async { Server::open(uri, Some(name), Login::Nobody, limit).await?.hello().await };
    match tokio::time::timeout(limit, ask).await {
        Ok(answer) => answer.map(drop),
        Err(_elapsed) => Err(ReplsetError::timed_out("ask the server by its name in the set", name, limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_file_without_white_space_or_the_first_of_a_list() {
        assert_eq!(key_of("ab\ncd\n").as_deref(), Some("abcd"));
        assert_eq!(key_of("- old key\n- new\n").as_deref(), Some("oldkey"));
        assert_eq!(key_of(" \n"), None);
    }
}
