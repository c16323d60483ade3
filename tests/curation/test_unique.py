from handmade import put_inputs

from curation.tables import Corpus
from curation.unique import unique_videos


def test_of_copies_the_first_file_counts_whatever_its_part(tmp_path):
    corpus = Corpus(tmp_path)
    ids = {letter: letter * 20 for letter in "abcd"}
    for part, letters in enumerate(("aab", "cb", "a", "dcc")):
        put_inputs(corpus, part, [ids[letter] for letter in letters])
    found = unique_videos(corpus)
    assert found.num_videos == {"part-00000": 2, "part-00001": 1, "part-00002": 0, "part-00003": 1}
    assert found.copies == {
        "part-00001": frozenset({ids["b"]}),
        "part-00002": frozenset({ids["a"]}),
        "part-00003": frozenset({ids["c"]}),
    }


def test_an_empty_corpus_has_none(tmp_path):
    assert unique_videos(Corpus(tmp_path)).num_videos == {}
