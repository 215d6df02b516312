//! What the documents of each collection of the shop look like.

use rand::RngExt;

use super::Random;
use super::words::{choose, hexadecimal, vocabulary};
use crate::bson_bytes::{DocumentWriter, NULL, OBJECT_ID};

/// 2024-01-01T00:00:00Z in milliseconds: the first moment of the shop's history.
const OPENING: i64 = 1_704_067_200_000;
const YEAR: i64 = 365 * 24 * 3_600 * 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Orders,
    Customers,
    Products,
    Reviews,
    Settings,
    Names,
    Sessions,
    Audit,
    Sensors,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Orders,
        Self::Customers,
        Self::Products,
        Self::Reviews,
        Self::Settings,
        Self::Names,
        Self::Sessions,
        Self::Audit,
        Self::Sensors,
    ];

    pub(super) const fn database(self) -> &'static str {
        match self {
            Self::Orders | Self::Customers | Self::Products | Self::Reviews | Self::Settings | Self::Names => "shop",
            Self::Sessions | Self::Audit => "events",
            Self::Sensors => "telemetry",
        }
    }

    pub(super) const fn collection(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Customers => "customers",
            Self::Products => "products",
            Self::Reviews => "reviews",
            Self::Settings => "settings",
            Self::Names => "names",
            Self::Sessions => "sessions",
            Self::Audit => "audit",
            Self::Sensors => "sensors",
        }
    }

    pub(super) fn share_of(self, orders: u64) -> u64 {
        match self {
            Self::Orders => orders,
            Self::Customers | Self::Sessions | Self::Sensors => orders.div_ceil(5),
            Self::Reviews | Self::Audit => orders.div_ceil(10),
            Self::Products | Self::Names => orders.div_ceil(20),
            Self::Settings => orders.div_ceil(100),
        }
    }

    pub(super) const fn keeps_order(self) -> bool {
        matches!(self, Self::Audit | Self::Sensors)
    }

    pub(super) fn write(self, w: &mut DocumentWriter, position: u64, random: &mut Random) {
        match self {
            Self::Orders => order(w, position, random),
            Self::Customers => customer(w, position, random),
            Self::Products => product(w, position, random),
            Self::Reviews => review(w, position, random),
            Self::Settings => setting(w, position, random),
            Self::Names => name(w, position, random),
            Self::Sessions => session(w, position, random),
            Self::Audit => audit(w, position, random),
            Self::Sensors => reading(w, position, random),
        }
    }
}

fn number(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// As a driver makes them: seconds, then five random bytes of the process, then a counter.
fn object_id(position: u64) -> [u8; 12] {
    let seconds =
        u32::try_from(OPENING / 1_000).unwrap_or_default().wrapping_add(u32::try_from(position / 7).unwrap_or(0));
    let mut id = [0; 12];
    id[..4].copy_from_slice(&seconds.to_be_bytes());
    id[4..9].copy_from_slice(&[0x5a, 0xc3, 0x11, 0x9e, 0x70]);
    id[9..].copy_from_slice(&position.to_be_bytes()[5..]);
    id
}

fn moment(random: &mut Random) -> i64 {
    OPENING + random.random_range(0..YEAR)
}

fn price(random: &mut Random) -> f64 {
    f64::from(random.random_range(99..40_000)) / 100.0
}

fn location(w: &mut DocumentWriter, random: &mut Random) {
    w.begin_document("location").str("type", "Point").begin_array("coordinates");
    w.f64("0", random.random_range(-10.0..30.0)).f64("1", random.random_range(36.0..60.0)).end().end();
}

fn order(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    let text = vocabulary();
    let placed = OPENING + number(position) * 517;
    w.element(OBJECT_ID, "_id", &object_id(position)).i64("number", 100_000 + number(position));
    w.i32("customer", random.random_range(0..200_000));
    w.str("status", choose(random, &["delivered", "paid", "shipped", "placed", "returned", "cancelled"]));
    w.date("placed", placed).date("updated", placed + random.random_range(0..900_000_000));
    w.str("currency", choose(random, &["EUR", "EUR", "GBP", "CHF", "SEK"]));
    w.begin_array("items");
    let mut total = 0.0;
    let names = ["0", "1", "2", "3"];
    let count = random.random_range(1..=4).min(random.random_range(1..=4));
    for index in names.iter().take(count) {
        let (product, quantity, price) = (random.random_range(0..20_000), random.random_range(1..4), price(random));
        total += price * f64::from(quantity);
        w.begin_document(index).str("sku", &format!("SKU-{product:06}")).i32("product", product);
        w.str("title", &text.sentence(random, 2..5)).i32("quantity", quantity).f64("price", price).end();
    }
    w.end().f64("total", (total * 100.0).round() / 100.0);
    w.begin_document("shipping");
    w.str("name", &format!("{} {}", text.first.pick(random), text.last.pick(random)));
    w.str("street", &format!("{} {}", text.streets.pick(random), random.random_range(1..200)));
    w.str("city", text.cities.pick(random)).str("postal", &random.random_range(1_000..99_999).to_string());
    location(w, random);
    w.end();
    match random.random_range(0..3) {
        0 => w.str("note", &text.sentence(random, 5..30)),
        1 => w.element(NULL, "note", &[]),
        _ => w,
    };
    w.str("trace", &hexadecimal(random, 16));
}

fn customer(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    let text = vocabulary();
    let (first, last) = (text.first.pick(random), text.last.pick(random));
    w.i32("_id", i32::try_from(position).unwrap_or(i32::MAX)).str("first", first).str("last", last);
    w.str("email", &format!("{}.{}.{position}@example.org", first.to_lowercase(), last.to_lowercase()));
    w.begin_document("address").str("city", text.cities.pick(random)).str("street", text.streets.pick(random)).end();
    location(w, random);
    w.date("since", moment(random)).bool("newsletter", random.random_bool(0.3)).f64("points", price(random));
    if random.random_bool(0.2) {
        w.str("company", &format!("{last} GmbH")).str("vat", &hexadecimal(random, 5));
    }
}

fn product(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    let text = vocabulary();
    w.str("_id", &format!("SKU-{position:06}")).str("title", &text.sentence(random, 2..5));
    w.str("description", &text.sentence(random, 20..80)).f64("price", price(random));
    w.begin_document("attributes").str("colour", choose(random, &["black", "white", "red", "blue"]));
    w.i32("weight_grams", random.random_range(10..9_000))
        .begin_document("size")
        .i32("width", random.random_range(1..90));
    w.i32("height", random.random_range(1..90)).end().end();
    w.begin_array("tags").str("0", text.words.pick(random)).str("1", text.words.pick(random)).end();
    w.i32("stock", random.random_range(0..500));
}

fn review(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    w.begin_document("_id").i32("product", random.random_range(0..20_000)).i64("sequence", number(position)).end();
    w.i32("stars", random.random_range(1..=5))
        .str("text", &vocabulary().sentence(random, 10..60))
        .date("at", moment(random));
}

fn setting(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    w.i64("_id", number(position)).str("key", &hexadecimal(random, 6)).str("value", vocabulary().words.pick(random));
}

fn name(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    let text = vocabulary();
    // Under the collation of this collection the case of the `_id` does not tell two documents apart.
    w.str("_id", &format!("{}-{position}", text.first.pick(random))).str("name", text.last.pick(random));
}

fn session(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    let mut uuid = [0; 16];
    random.fill(&mut uuid[..]);
    uuid[..8].copy_from_slice(&position.to_be_bytes());
    w.binary("_id", 4, &uuid).i32("customer", random.random_range(0..200_000)).date("started", moment(random));
    w.str("agent", choose(random, &["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "curl/8.5.0"]));
    w.begin_array("pages");
    for index in ["0", "1", "2"].iter().take(random.random_range(0..=3)) {
        w.str(index, &format!("/products/SKU-{:06}", random.random_range(0..20_000)));
    }
    w.end();
}

fn audit(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    w.i64("_id", number(position)).date("at", OPENING + number(position) * 1_000);
    w.str("who", vocabulary().first.pick(random)).str("did", choose(random, &["login", "update", "export", "delete"]));
    w.str("request", &hexadecimal(random, 8));
}

fn reading(w: &mut DocumentWriter, position: u64, random: &mut Random) {
    // Of our own making, because the server would add a random one.
    w.element(OBJECT_ID, "_id", &object_id(position)).date("at", OPENING + number(position) * 250);
    w.begin_document("sensor").i32("id", random.random_range(0..40)).str("site", "warehouse").end();
    w.f64("temperature", f64::from(random.random_range(150..300)) / 10.0).i32("humidity", random.random_range(20..90));
}
