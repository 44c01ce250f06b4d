// A text as tokens and back: each a character, or a pair of earlier ones, of which the first 256
// are bytes.
const BYTES = 256;
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

class CharacterTokens {
    constructor(vocabulary) {
        this.vocabulary = vocabulary;
        this.numbers = new Map(vocabulary.map((letter, i) => [letter, i]));
    }

    get size() {
        return this.vocabulary.length;
    }

    // The tokens of a text, and the letters that are none.
    encode(text) {
        const letters = Array.from(text), strange = letters.filter((each) => !this.numbers.has(each));
        return { known: letters.filter((each) => this.numbers.has(each)).map((each) => this.numbers.get(each)), strange };
    }

    decode(tokens) {
        return Array.from(tokens, (each) => this.vocabulary[each]).join("");
    }
}

class PairTokens {
    constructor(pairs) {
        this.bytes = Array.from({ length: BYTES }, (_, byte) => [byte]);
        this.ranks = new Map();
        const first = new Map(this.bytes.map((bytes, token) => [String(bytes), token]));
        for (const [a, b] of pairs) {
            const bytes = [...this.bytes[a], ...this.bytes[b]], made = this.bytes.push(bytes) - 1;
            if (!first.has(String(bytes))) first.set(String(bytes), made);
            this.ranks.set(`${a} ${b}`, [made - BYTES, first.get(String(bytes))]);
        }
    }

    get size() {
        return this.bytes.length;
    }

    encode(text) {
        const words = text.match(WORDS) ?? [];
        return { known: words.flatMap((word) => this.#joined(new TextEncoder().encode(word))), strange: [] };
    }

    // In each turn the pair that was found first in training becomes one token.
    #joined(bytes) {
        let tokens = Array.from(bytes);
        for (;;) {
            let least = null;
            for (let i = 1; i < tokens.length; i++) {
                const found = this.ranks.get(`${tokens[i - 1]} ${tokens[i]}`);
                if (found && (!least || found[0] < least.rank)) least = { rank: found[0], made: found[1], at: i - 1 };
            }
            if (!least) return tokens;
            tokens.splice(least.at, 2, least.made);
        }
    }

    decode(tokens) {
        const bytes = Array.from(tokens).flatMap((each) => this.bytes[each]);
        return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    }
}
