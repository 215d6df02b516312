//! Makes a `mongod` that was just started a replica set of one member with one user: what a drill restores into.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongodb::Client;
use mongodb::options::{ClientOptions, ServerAddress};

use crate::error::{ErrorKind, ReplsetError, Result};

const WHAT: &str = "set up the throw-away server";
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(100);
/// `AlreadyInitialized`: an attempt whose reply was lost.
const INITIATED: i32 = 23;

/// The server at `host` (`127.0.0.1:port`) must have been started with `--replSet set_name`, and with a key file: then, as
/// long as there is no user, the first one may be created from the machine itself (localhost exception). Waits until the
/// server listens, and returns when it is primary and has the user.
pub async fn initiate(host: &str, set_name: &str, user: &str, password: &str) -> Result<()> {
    let address = ServerAddress::parse(host).map_err(|error| ReplsetError::from_driver(&error, WHAT, host))?;
    let mut options = ClientOptions::builder().hosts(vec![address]).direct_connection(true).build();
    options.server_selection_timeout = Some(Duration::from_secs(2));
    options.connect_timeout = Some(Duration::from_secs(2));
    let client = Client::with_options(options).map_err(|error| ReplsetError::from_driver(&error, WHAT, host))?;
    let server = Server { client: client.clone(), host, end: Instant::now() + LIMIT };
    let config = doc! { "_id": set_name, "members": [{ "_id": 0, "host": host }] };
    let done = async {
        server.until_accepted(doc! { "replSetInitiate": config }).await?;
        server.until_primary().await?;
        // The exception allows roles of `admin` only.
        server.until_accepted(doc! { "createUser": user, "pwd": password, "roles": ["root"] }).await
    };
    let result = done.await;
    client.shutdown().immediate(true).await;
    result
}

struct Server<'a> {
    client: Client,
    host: &'a str,
    end: Instant,
}

impl Server<'_> {
    async fn run(&self, command: Document) -> Result<Document> {
        let run = self.client.database("admin").run_command(command).await;
        run.map_err(|error| ReplsetError::from_driver(&error, WHAT, self.host))
    }

    async fn until_accepted(&self, command: Document) -> Result<()> {
        loop {
            match self.run(command.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some(INITIATED) => return Ok(()),
                Err(error) if self.is_worth_waiting(&error) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn until_primary(&self) -> Result<()> {
        loop {
            match self.run(doc! { "hello": 1 }).await {
                Ok(hello) if hello.get_bool("isWritablePrimary").unwrap_or(false) => return Ok(()),
                Err(error) if !self.is_worth_waiting(&error) => return Err(error),
                _ if Instant::now() > self.end => {
                    return Err(ReplsetError::new(
                        ErrorKind::Unreachable,
                        WHAT,
                        self.host,
                        "it does not become primary",
                    ));
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn is_worth_waiting(&self, error: &ReplsetError) -> bool {
        error.is_retryable() && Instant::now() < self.end
    }
}
