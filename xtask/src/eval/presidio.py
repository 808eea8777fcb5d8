"""Runs Presidio's pattern recognisers over labelled rows.

python presidio.py SPEED.json FILE.jsonl... > PREDICTIONS.jsonl

One line for each row that has `spans`: [[start, end, type, score], ...] in bytes of UTF-8. Words for the context are
those of the text itself, in small letters: no language model is loaded. SPEED.json gets {"bytes": ..., "seconds": ...}.
"""

import json
import logging
import sys
import time

logging.disable(logging.WARNING)

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine


class Words(NlpEngine):
    """Splits text into words and nothing more."""

    def __init__(self):
        self.nlp = spacy.blank("en")

    def load(self):
        pass

    def is_loaded(self):
        return True

    def process_text(self, text, language):
        doc = self.nlp(text)
        words = [token.text.lower() for token in doc]
        return NlpArtifacts(
            entities=[],
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=words,
            nlp_engine=self,
            language=language,
        )

    def process_batch(self, texts, language, **_):
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word, language):
        return self.nlp.vocab[word].is_stop

    def is_punct(self, word, language):
        return self.nlp.vocab[word].is_punct

    def get_supported_entities(self):
        return []

    def get_supported_languages(self):
        return ["en"]


def main():
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=Words(), supported_languages=["en"])
    size, started = 0, time.perf_counter()
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as lines:
            for line in filter(str.strip, lines):
                row = json.loads(line)
                if "spans" not in row:
                    continue
                text = row["text"]
                size += len(text.encode())
                found = [
                    [len(text[: r.start].encode()), len(text[: r.end].encode()), r.entity_type, r.score]
                    for r in analyzer.analyze(text, language="en")
                ]
                print(json.dumps(found))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"bytes": size, "seconds": time.perf_counter() - started}, file)


main()
