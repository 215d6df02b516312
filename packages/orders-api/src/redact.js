// Takes credentials out of text before anybody can read it.

const CREDENTIALS = /(mongodb(?:\+srv)?:\/\/)[^\s"'`]*@/gi;
// A shorter password would also be found in ordinary words.
const SHORTEST_LITERAL = 8;

/** Replaces user and password of every connection string, also of one that is not valid: up to the last `@`. */
export function redactConnectionStrings(text) {
  return text.replaceAll(CREDENTIALS, '$1***@');
}

/** A function that also removes the given secrets where they stand alone, in every form that a JSON line may give them. */
export function createRedactor(secrets) {
  const forms = new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret), decoded(secret)])
    .flatMap((form) => [form, JSON.stringify(form).slice(1, -1)])
    .filter((form) => form.length >= SHORTEST_LITERAL));
  return (text) => {
    let result = redactConnectionStrings(text);
    for (const form of forms) result = result.replaceAll(form, '***');
    return result;
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
