//! The collections, indexes and views of the shop: one of each kind that a server has.

use anyhow::{Context, Result};
use mongodb::Client;
use mongodb::bson::{Document, doc};

/// Long enough that nothing of the shop's history expires while a test runs.
const TTL_SECONDS: i64 = 20 * 365 * 24 * 3_600;

pub(super) async fn create_collections(client: &Client) -> Result<()> {
    let validator = doc! { "$jsonSchema": {
        "bsonType": "object",
        "required": ["title", "price"],
        "properties": { "price": { "bsonType": "double", "minimum": 0 }, "title": { "bsonType": "string" } },
    } };
    for (database, command) in [
        ("shop", doc! { "create": "orders" }),
        ("shop", doc! { "create": "customers" }),
        ("shop", doc! { "create": "products", "validator": validator, "validationLevel": "moderate" }),
        (
            "shop",
            doc! { "create": "reviews", "storageEngine": { "wiredTiger": { "configString": "block_compressor=zstd" } } },
        ),
        (
            "shop",
            doc! { "create": "settings", "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "by number" } },
        ),
        ("shop", doc! { "create": "names", "collation": { "locale": "de", "strength": 2 } }),
        ("shop", doc! { "create": "empty" }),
        ("events", doc! { "create": "sessions" }),
        ("events", doc! { "create": "audit", "capped": true, "size": 4 << 20, "max": 20_000 }),
        (
            "telemetry",
            doc! { "create": "sensors", "timeseries": { "timeField": "at", "metaField": "sensor", "granularity": "seconds" },
            "expireAfterSeconds": TTL_SECONDS },
        ),
    ] {
        run(client, database, command).await?;
    }
    Ok(())
}

pub(super) async fn create_indexes(client: &Client) -> Result<()> {
    for (database, collection, indexes) in [
        (
            "shop",
            "orders",
            vec![
                doc! { "key": { "customer": 1, "placed": -1 }, "name": "customer_1_placed_-1" },
                doc! { "key": { "status": 1 }, "name": "open orders", "partialFilterExpression": { "status": { "$in": ["placed", "paid"] } } },
                doc! { "key": { "number": 1 }, "name": "number_1", "unique": true },
                doc! { "key": { "_id": "hashed" }, "name": "_id_hashed" },
                doc! { "key": { "items.sku": 1 }, "name": "items.sku_1" },
                doc! { "key": { "note": 1 }, "name": "note_1", "sparse": true, "hidden": true },
                doc! { "key": { "shipping.location": "2dsphere" }, "name": "destination" },
            ],
        ),
        (
            "shop",
            "customers",
            vec![
                doc! { "key": { "email": 1 }, "name": "email_1", "unique": true },
                doc! { "key": { "location": "2dsphere", "since": 1 }, "name": "near" },
                doc! { "key": { "last": 1 }, "name": "last_de", "collation": { "locale": "de", "strength": 1 } },
                doc! { "key": { "vat": 1 }, "name": "vat_1", "unique": true, "partialFilterExpression": { "vat": { "$exists": true } } },
                doc! { "key": { "points": -1.0 }, "name": "points_-1", "partialFilterExpression": {} },
            ],
        ),
        (
            "shop",
            "products",
            vec![
                doc! { "key": { "title": "text", "description": "text" }, "name": "search", "weights": { "title": 5, "description": 1 } },
                doc! { "key": { "attributes.$**": 1 }, "name": "attributes" },
            ],
        ),
        ("shop", "reviews", vec![doc! { "key": { "$**": 1 }, "name": "all", "wildcardProjection": { "text": 0 } }]),
        (
            "shop",
            "names",
            vec![
                doc! { "key": { "name": 1 }, "name": "simple", "collation": { "locale": "simple" } },
                doc! { "key": { "name": -1 }, "name": "collated" },
            ],
        ),
        ("shop", "settings", vec![doc! { "key": { "key": 1 }, "name": "key_1" }]),
        (
            "shop",
            "empty",
            vec![doc! { "key": { "at": "2d" }, "name": "flat", "bits": 20, "min": -100.0, "max": 100.0 }],
        ),
        (
            "events",
            "sessions",
            vec![doc! { "key": { "started": 1 }, "name": "expiry", "expireAfterSeconds": TTL_SECONDS }],
        ),
        ("events", "audit", vec![doc! { "key": { "who": 1, "at": 1 }, "name": "who_1_at_1" }]),
        ("telemetry", "sensors", vec![doc! { "key": { "sensor.id": 1, "at": -1 }, "name": "by sensor" }]),
    ] {
        run(client, database, doc! { "createIndexes": collection, "indexes": indexes }).await?;
    }
    Ok(())
}

pub(super) async fn create_views(client: &Client) -> Result<()> {
    let paid = vec![
        doc! { "$match": { "status": "paid", "total": { "$gt": 10.0 } } },
        doc! { "$sort": { "placed": -1, "number": 1 } },
    ];
    let totals = vec![doc! { "$group": { "_id": "$shipping.city", "total": { "$sum": "$total" } } }];
    let hourly = vec![doc! { "$group": { "_id": { "$hour": "$at" }, "mean": { "$avg": "$temperature" } } }];
    run(client, "shop", doc! { "create": "paid_orders", "viewOn": "orders", "pipeline": paid }).await?;
    run(client, "shop", doc! { "create": "paid_totals", "viewOn": "paid_orders", "pipeline": totals }).await?;
    let collation = doc! { "locale": "de", "strength": 2 };
    run(client, "shop", doc! { "create": "name_list", "viewOn": "names", "pipeline": [], "collation": collation })
        .await?;
    run(client, "telemetry", doc! { "create": "hourly", "viewOn": "sensors", "pipeline": hourly }).await
}

async fn run(client: &Client, database: &str, command: Document) -> Result<()> {
    let what = command.iter().next().map(|(name, value)| format!("{name} {database}.{value}")).unwrap_or_default();
    client.database(database).run_command(command).await.context(what)?;
    Ok(())
}
