//! Text that compresses like what people write: a few words often, most words seldom.

use rand::RngExt;

use super::Random;

const WORDS: &str = "the of and to in is it for on that with as was be by this are at from or an have not we your \
    order please deliver before noon after work ring bell leave parcel with neighbour door garden house office floor \
    left right second third customer asked about size colour return exchange refund invoice company address street \
    birthday present gift wrapped card message thank you very much quick shipping package arrived damaged box broken \
    screen missing part replacement sent again new model black white silver small large cotton leather steel wooden \
    handmade organic classic modern light heavy durable waterproof portable wireless battery charger cable adapter \
    kitchen bathroom bedroom outdoor travel winter summer spring autumn season sale discount coupon applied total \
    quality excellent good average poor expected better cheaper than last time would buy again recommend friends \
    family children adults dogs cats music book film paper pencil notebook desk chair lamp table shelf window curtain \
    carpet blanket pillow towel soap brush comb mirror bottle glass cup plate bowl spoon fork knife pan pot oven";
const FIRST: &str = "Anna Ben Clara David Emma Felix Greta Hannah Ivan Jana Karl Lena Max Nina Oskar Paula Quentin Rosa \
    Samuel Tina Ursula Viktor Wanda Xenia Yusuf Zoë José María François Renée Łukasz Søren Björn Chloë Noël Ayşe Ömer \
    Mehmet Fatma Wei Li Mei Hiroshi Yuki Amara Kwame Zuri Olga Dmitri Svetlana Patrick Siobhán Owen Rhys";
const LAST: &str = "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Smith Jones Taylor Brown \
    Williams Wilson Johnson Davies García Fernández González Rossi Russo Ferrari Dubois Moreau Laurent Kowalski Novák \
    Horváth Andersson Hansen Jensen Nielsen Yılmaz Kaya Demir Chen Wang Zhang Tanaka Suzuki Okafor Mensah O'Brien";
const CITIES: &str = "Berlin Hamburg München Köln Frankfurt Stuttgart Düsseldorf Leipzig Dortmund Essen Bremen Dresden \
    Hannover Nürnberg Wien Graz Linz Salzburg Zürich Genf Basel Bern Paris Lyon Marseille Toulouse Madrid Barcelona \
    Valencia Sevilla Roma Milano Napoli Torino London Manchester Birmingham Leeds Dublin Amsterdam Rotterdam Brussel \
    København Stockholm Oslo Helsinki Warszawa Kraków Praha Budapest Lisboa Porto Athens İstanbul Ankara İzmir";
const STREETS: &str = "Hauptstraße Bahnhofstraße Gartenweg Dorfstraße Schulstraße Lindenallee Bergstraße Kirchgasse \
    Rue-de-la-Paix Avenue-Foch Calle-Mayor Gran-Vía Via-Roma Corso-Italia High-Street Station-Road Church-Lane \
    Mill-Road Park-Avenue Kongens-Gade Storgatan Marszałkowska Náměstí-Míru Istiklal-Caddesi";

/// A word list, split once.
#[derive(Debug)]
pub(crate) struct Words(Vec<&'static str>);

impl Words {
    fn new(text: &'static str) -> Self {
        Self(text.split_whitespace().collect())
    }

    /// Early words come much more often than late ones.
    pub(crate) fn pick(&self, random: &mut Random) -> &'static str {
        let skewed = random.random::<f32>().powi(3);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "lists are short"
        )]
        let index = (skewed * self.0.len() as f32) as usize;
        self.0[index.min(self.0.len() - 1)]
    }
}

#[derive(Debug)]
pub(crate) struct Vocabulary {
    pub(crate) words: Words,
    pub(crate) first: Words,
    pub(crate) last: Words,
    pub(crate) cities: Words,
    pub(crate) streets: Words,
}

pub(crate) fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: std::sync::OnceLock<Vocabulary> = std::sync::OnceLock::new();
    VOCABULARY.get_or_init(|| Vocabulary {
        words: Words::new(WORDS),
        first: Words::new(FIRST),
        last: Words::new(LAST),
        cities: Words::new(CITIES),
        streets: Words::new(STREETS),
    })
}

impl Vocabulary {
    pub(crate) fn sentence(&self, random: &mut Random, words: std::ops::Range<usize>) -> String {
        let count = random.random_range(words);
        let mut text = String::with_capacity(count * 7);
        for _ in 0..count {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.words.pick(random));
        }
        text
    }
}

/// What no compressor can shorten to less than half.
pub(crate) fn hexadecimal(random: &mut Random, bytes: usize) -> String {
    let mut raw = vec![0; bytes];
    random.fill(&mut raw[..]);
    hex::encode(raw)
}

/// One of a few values, the first most often.
pub(crate) fn choose(random: &mut Random, values: &[&'static str]) -> &'static str {
    let index = random.random_range(0..values.len()).min(random.random_range(0..values.len()));
    values[index]
}
