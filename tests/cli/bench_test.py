"""bench: that it runs and that its figures belong together; never how large they are."""

import json
import unittest

import support


class Bench(support.TestCase):
    def check(self, about, lengths, batch):
        self.assertEqual([row["length"] for row in about["results"]], lengths)
        for row in about["results"]:
            self.assertGreaterEqual(row["runs"], 5)
            self.assertLessEqual(row["min_ms"], row["median_ms"])
            rate = 1e3 * row["length"] * batch / row["median_ms"]
            self.assertAlmostEqual(row["tokens_per_second"] / rate, 1, places=3)
            self.assertGreater(row["gops"], 0)
            known = about["precision"] == "int8" and about["peak_gops"] is not None
            self.assertEqual(row["limit_ms"] is not None, known)
            if known:
                self.assertAlmostEqual(row["limit_share"] * row["median_ms"] / row["limit_ms"], 1, places=2)
                self.assertAlmostEqual(row["limit_share_best"] * row["min_ms"] / row["limit_ms"], 1, places=2)
                reading = about["matrix_bytes"] / about["read_gbs"] / 1e6
                self.assertGreaterEqual(row["limit_ms"], reading * 0.999)
        self.assertGreater(about["softmax_ns"], 0)
        self.assertGreater(about["gelu_ns"], 0)

    def test_shapes(self):
        for precision in ["int8", "fp32"]:
            about = json.loads(self.good("bench", "--shape", "bert-tiny", "--lengths", "4,9", "--precision", precision,
                                         "--json"))
            self.check(about, [4, 9], 1)
            self.assertEqual((about["model"], about["precision"], about["random_weights"]),
                             ("bert-tiny", precision, True))
            # 2 layers × (4·128² + 2·128·512) weights
            bytes_each = 1 if precision == "int8" else 4
            self.assertEqual(about["matrix_bytes"], 2 * (4 * 128 * 128 + 2 * 128 * 512) * bytes_each)
            operations = 2 * (2 * 9 * (4 * 128 * 128 + 2 * 128 * 512) + 4 * 9 * 9 * 128)
            row = about["results"][1]
            self.assertAlmostEqual(row["gops"] * row["median_ms"] * 1e6 / operations, 1, places=3)

    def test_batch_threads_and_path(self):
        about = json.loads(self.good("bench", "--shape", "bert-tiny", "--lengths", "5", "--batch", "3", "--threads",
                                     "2", "--json", env={"KINGLET_ISA": "reference"}))
        self.check(about, [5], 3)
        self.assertEqual((about["isa"], about["threads"], about["batch"]), ("reference", 2, 3))
        self.assertIsNone(about["peak_gops"])
        self.assertIsNone(about["results"][0]["peak_share"])

    def test_a_model_file(self):
        for name in ["bert", "bert-seqcls"]:
            about = json.loads(self.good("bench", support.model(name), "--lengths", "7", "--json"))
            self.check(about, [7], 1)
            self.assertFalse(about["random_weights"])
        limit = json.loads(self.good("inspect", support.model("bert"), "--json"))["max_length"]
        self.fails(2, "bench", support.model("bert"), "--lengths", str(limit + 1), says=str(limit))

    def test_for_people(self):
        out = self.good("bench", "--shape", "bert-tiny", "--lengths", "8")
        self.assertIn("bert-tiny (random weights): int8", out)
        self.assertRegex(out, r"(?m)^ +8 +\d+\.\d{3} ")


if __name__ == "__main__":
    support.main()
