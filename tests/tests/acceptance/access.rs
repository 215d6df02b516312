//! Users and roles, and what the users that run backups and restores need: docs/privileges.md.

use anyhow::{Context, Result, ensure};
use e2e::{Scenario, scenario};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use testkit::processes;
use testkit::replica_set::ROOT_PASSWORD;
use testkit::{Detail, ReplicaSet, capture};

/// Needs escaping in a URI, and is searched for in everything that is printed.
const PASSWORD: &str = "s3cret/p@ss:word";

const SOURCE_ROLES: &[(&str, &str)] = &[("backup", "admin"), ("clusterMonitor", "admin")];
const DESTINATION_ROLES: &[(&str, &str)] =
    &[("restore", "admin"), ("readWriteAnyDatabase", "admin"), ("clusterMonitor", "admin"), ("readWrite", "config")];

async fn with_users() -> Result<ReplicaSet> {
    let set = e2e::server().auth(true).start().await?;
    // The oracle reads what even `root` may not: the definitions of views.
    let (admin, root) = (set.client().database("admin"), testkit::replica_set::ROOT_USER);
    let all = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
    admin.run_command(doc! { "createRole": "everything", "privileges": [all], "roles": [] }).await?;
    admin.run_command(doc! { "grantRolesToUser": root, "roles": ["everything"] }).await?;
    Ok(set)
}

async fn create_user<'a>(
    set: &ReplicaSet,
    name: &str,
    roles: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
) -> Result<()> {
    let roles: Vec<Document> = roles.into_iter().map(|(role, db)| doc! { "role": *role, "db": *db }).collect();
    let create = doc! { "createUser": name, "pwd": PASSWORD, "roles": roles };
    set.client().database("admin").run_command(create).await.with_context(|| format!("create {name}"))?;
    Ok(())
}

async fn sign_in(set: &ReplicaSet, database: &str, user: &str) -> Result<Client> {
    let uri = set.uri_as(user, PASSWORD).replace("authSource=admin", &format!("authSource={database}"));
    let client = Client::with_uri_str(uri).await?;
    client
        .database("admin")
        .run_command(doc! { "connectionStatus": 1 })
        .await
        .with_context(|| format!("sign in as {user}"))?;
    Ok(client)
}

/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_roles_come_back_and_the_restoring_user_stays() -> Result<()> {
    let mut scenario = Scenario::of(with_users().await?)?;
    let (admin, shop) = (scenario.client().database("admin"), scenario.client().database("shop"));
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.insert("shop", "secrets", [doc! { "_id": 1 }]).await?;
    let read = |collection: &str| doc! { "resource": { "db": "shop", "collection": collection }, "actions": ["find"] };
    shop.run_command(doc! { "createRole": "reader", "privileges": [read("orders")], "roles": [] }).await?;
    let clerk = doc! { "createUser": "clerk", "pwd": PASSWORD, "roles": ["reader"], "customData": { "desk": 7 } };
    shop.run_command(clerk).await?;
    create_user(&scenario.source, "leaver", &[("readAnyDatabase", "admin")]).await?;
    create_user(&scenario.source, "backup agent", SOURCE_ROLES).await?;
    create_user(&scenario.source, "restorer", &[("readAnyDatabase", "admin")]).await?;
    scenario.uri = scenario.source.uri_as("backup agent", PASSWORD);
    scenario.begin_archiving().await?;
    admin.run_command(doc! { "createRole": "auditor", "privileges": [read("secrets")], "roles": ["backup"] }).await?;
    let late = doc! { "createUser": "late", "pwd": PASSWORD, "roles": [{ "role": "auditor", "db": "admin" }] };
    shop.run_command(late).await?;
    shop.run_command(doc! { "grantPrivilegesToRole": "reader", "privileges": [read("prices")] }).await?;
    admin.run_command(doc! { "dropUser": "leaver" }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let set = with_users().await?;
    create_user(&set, "restorer", DESTINATION_ROLES).await?;
    let (at, uri) = (moment.at.to_string(), set.uri_as("restorer", PASSWORD));
    let report = scenario.cli_ok(&scenario::restore_arguments(&at, &uri)).await?;
    let state = capture(&set.client(), None, Detail::Documents).await?;
    ensure!(moment.state.diff(&state).is_empty(), "{:#?}", moment.state.diff(&state));
    ensure!(report["counts"]["users"] == 3 && report["counts"]["roles"] == 2, "clerk, late, backup agent: {report}");

    let clerk = sign_in(&set, "shop", "clerk").await?;
    let count = |client: &Client, name: &str| {
        let collection = client.database("shop").collection::<Document>(name);
        async move { collection.count_documents(doc! {}).await }
    };
    ensure!(count(&clerk, "orders").await? == 1, "with the old password and the old rights");
    ensure!(count(&clerk, "secrets").await.is_err(), "and no others");
    let late = sign_in(&set, "shop", "late").await?;
    ensure!(count(&late, "secrets").await? == 1);
    ensure!(sign_in(&set, "admin", "leaver").await.is_err(), "a user dropped in the window is not restored");
    // The one of the same name keeps the rights that it had here.
    let restorer = sign_in(&set, "admin", "restorer").await?;
    restorer.database("shop").collection::<Document>("orders").insert_one(doc! { "_id": 2 }).await?;
    let info = set.client().database("shop").run_command(doc! { "usersInfo": "clerk" }).await?;
    ensure!(info.to_string().contains("desk"), "{info}");
    Ok(())
}

/// The actions, and the roles that grant them.
fn names_what_is_missing(said: &str, role: &str) -> bool {
    (said.contains("missing: ") || said.contains("the user may not run `")) && said.contains(role)
}

/// Case 29.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_roles_suffice_and_each_of_them_is_needed() -> Result<()> {
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/privileges.md"))?;
    for (role, database) in SOURCE_ROLES.iter().chain(DESTINATION_ROLES) {
        ensure!(
            documented.contains(&format!("{{ role: \"{role}\", db: \"{database}\" }}")),
            "{role} is not documented"
        );
    }
    let mut scenario = Scenario::of(with_users().await?)?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.run("shop", doc! { "create": "series", "timeseries": { "timeField": "at" } }).await?;
    scenario.run("shop", doc! { "create": "seen", "viewOn": "orders", "pipeline": [] }).await?;
    scenario.insert("shop", "system.js", [doc! { "_id": "f", "value": 1 }]).await?;
    for left_out in SOURCE_ROLES {
        let name = format!("source without {}", left_out.0);
        let fewer = SOURCE_ROLES.iter().filter(|role| *role != left_out);
        create_user(&scenario.source, &name, fewer).await?;
        scenario.uri = scenario.source.uri_as(&name, PASSWORD);
        for command in ["check", "snapshot"] {
            let done = processes::sidecar(scenario.sidecar_arguments(command)).await?;
            let said = format!("{}{}", done.stdout, done.stderr);
            ensure!(done.exit_code != 0 && names_what_is_missing(&said, left_out.0), "{name}: {command}: {done:?}");
            ensure!(!said.contains(PASSWORD) && !said.contains("s3cret"), "{said}");
        }
        ensure!(scenario.archive.manifests()?.is_empty(), "{name}");
    }
    create_user(&scenario.source, "source", SOURCE_ROLES).await?;
    scenario.uri = scenario.source.uri_as("source", PASSWORD);
    let check = processes::sidecar(scenario.sidecar_arguments("check")).await?;
    ensure!(check.exit_code == 0, "{check:?}");
    scenario.begin_archiving().await?;
    scenario.insert("shop", "orders", [doc! { "_id": 2 }]).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let set = with_users().await?;
    let at = moment.at.to_string();
    for left_out in DESTINATION_ROLES {
        let name = format!("destination without {}", left_out.0);
        let fewer = DESTINATION_ROLES.iter().filter(|role| *role != left_out);
        create_user(&set, &name, fewer).await?;
        let done = scenario.cli(&scenario::restore_arguments(&at, &set.uri_as(&name, PASSWORD))).await?;
        let error = done.json()?["error"].to_string();
        ensure!(done.exit_code == 2 && names_what_is_missing(&error, left_out.0), "{name}: {done:?}");
        ensure!(!error.contains("s3cret") && !done.stderr.contains("s3cret"), "{error}");
        let databases = set.client().list_database_names().await?;
        ensure!(!databases.contains(&"shop".to_owned()), "{name}: it wrote before it was refused");
    }
    create_user(&set, "destination", DESTINATION_ROLES).await?;
    scenario.cli_ok(&scenario::restore_arguments(&at, &set.uri_as("destination", PASSWORD))).await?;
    let state = capture(&set.client(), None, Detail::Documents).await?;
    ensure!(moment.state.diff(&state).is_empty(), "{:#?}", moment.state.diff(&state));
    Ok(())
}

/// Wrong credentials say so, and no output ever holds a password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_named_and_no_output_holds_a_password() -> Result<()> {
    let mut scenario = Scenario::of(with_users().await?)?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    let (wrong, escaped) = ("wr0ng/p@ss", "wr0ng%2Fp%40ss");
    let right_escaped = "p%40ss%3Aw%2Frd%251";
    let clean = |what: &str, output: &str| {
        for secret in [wrong, escaped, ROOT_PASSWORD, right_escaped] {
            ensure!(!output.contains(secret), "{what} printed `{secret}`: {output}");
        }
        Ok(())
    };
    let right = scenario.uri.clone();
    for uri in [scenario.source.uri_as("root", wrong), right.replace("authSource=admin", "authSource=shop")] {
        scenario.uri = uri;
        for command in ["check", "snapshot"] {
            let done = processes::sidecar(scenario.sidecar_arguments(command)).await?;
            let said = format!("{}{}", done.stdout, done.stderr);
            ensure!(done.exit_code == 8 || done.exit_code == 2, "{command}: {done:?}");
            ensure!(said.to_lowercase().contains("auth") && said.contains("password"), "{command}: {said}");
            clean(command, &said)?;
        }
    }
    scenario.uri = right;
    scenario.flags = vec!["--log-level".to_owned(), "debug".to_owned()];
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    clean("sidecar run", &scenario.stop_archiving().await?)?;
    for file in scenario.archive.files()? {
        clean(&file, &String::from_utf8_lossy(&scenario.archive.read(&file)?))?;
    }

    let set = with_users().await?;
    let at = moment.at.to_string();
    let done = scenario.cli(&scenario::restore_arguments(&at, &set.uri_as("root", wrong))).await?;
    ensure!(matches!(done.exit_code, 2 | 8), "{done:?}");
    ensure!(done.json()?["error"].to_string().contains("password"), "{done:?}");
    clean("restore with wrong credentials", &format!("{}{}", done.stdout, done.stderr))?;
    let uri = set.uri();
    let done = processes::dr_cli(
        ["--archive", &scenario.archive.url()].into_iter().chain(scenario::restore_arguments(&at, &uri)),
    )
    .await?;
    ensure!(done.exit_code == 0, "{done:?}");
    clean("restore", &format!("{}{}", done.stdout, done.stderr))
}
