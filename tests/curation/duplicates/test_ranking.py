from handmade import put_clips, put_scores

from curation.duplicates.ranking import best_first
from curation.joined import join
from curation.tables import Corpus


def test_the_first_column_counts_most_then_the_next_then_the_id(tmp_path):
    corpus = Corpus(tmp_path)
    first = put_clips(corpus, 0, 3, width=[640, 640, 320], height=[360, 360, 720], sharpness=[5.0, 7.0, 7.0])
    second = put_clips(corpus, 1, 2, first=3, width=[1280, 640], sharpness=[1.0, 7.0])
    put_scores(corpus, 0, "aesthetic", first, beauty=[9.0, 1.0, 2.0])
    put_scores(corpus, 1, "aesthetic", second, beauty=[0.0, 1.0])
    wide = join(corpus, ["aesthetic"])
    assert best_first(wide, ["pixels", "sharpness", "beauty"]).tolist() == [3, 2, 1, 4, 0]
    assert best_first(wide, ["beauty"]).tolist() == [0, 2, 1, 4, 3]
    assert best_first(wide, []).tolist() == [0, 1, 2, 3, 4]


def test_what_is_missing_is_worst(tmp_path):
    corpus = Corpus(tmp_path)
    put_clips(corpus, 0, 4, sharpness=[None, 1.0, float("nan"), -3.0])
    assert best_first(join(corpus, []), ["sharpness"]).tolist() == [1, 3, 0, 2]
