// Every task against the command line: the same bits, and the same places in UTF-16.
package org.kinglet

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

class TasksTest {
    private fun <T> session(model: String, options: SessionOptions = SessionOptions(), use: KingletSession.() -> T): T =
        KingletModel.open(model).use { it.newSession(options).use(use) }

    private fun JsonObject.floats(name: String): List<Float> = getAsJsonArray(name).map { it.asFloat }

    private fun JsonObject.string(name: String): String = get(name).asString

    private fun wrongTask(call: () -> Unit) =
        assertEquals(Status.WRONG_TASK, assertThrows(KingletException::class.java) { call() }.status)

    private fun embeddings(path: String) {
        val expected = Host.answers("embed", path, Host.texts.map(Host::text)).map { it.floats("embedding") }
        for (options in listOf(SessionOptions(), SessionOptions(threads = 2, batch = 3))) {
            session(path, options) {
                Host.texts.forEachIndexed { i, text -> Host.assertSame("text $i", expected[i], embed(text)) }
                embed(Host.texts).forEachIndexed { i, vector -> Host.assertSame("text $i of all", expected[i], vector) }
                val tokens = tokenize(Host.texts[3])
                Host.assertSame("ids", expected[3], embed(Input.ids(tokens.ids, tokens.typeIds)))
                val mixed = embedInputs(listOf(Input.ids(tokens.ids), Input.text(Host.texts[1])))
                Host.assertSame("ids beside a text", expected[3], mixed[0])
                Host.assertSame("a text beside ids", expected[1], mixed[1])
                assertEquals(1f, similarity(Host.texts[0], Host.texts[0]), 1e-6f)
                assertEquals(emptyList<FloatArray>(), embed(emptyList<String>()))
                wrongTask { classify("no such task") }
                wrongTask { tag("no such task") }
            }
        }
    }

    @Test
    fun `embeddings of a tiny model`() = embeddings(Host.model("bert", "embed"))

    @Test
    fun `embeddings of MiniLM`() = embeddings(Host.miniLm())

    @Test
    fun `embeddings straight into a buffer`() = session(Host.model("bert", "embed")) {
        val size = model.info.embeddingSize
        val buffer = ByteBuffer.allocateDirect(4 * (3 * size + 5)).order(ByteOrder.nativeOrder()).asFloatBuffer()
        buffer.position(5)
        embedInto(listOf("a", "b").map(Input::text), buffer)
        assertEquals(5 + 2 * size, buffer.position())
        embedInto(listOf(Input.text("c")), buffer)
        buffer.position(5)
        for (text in listOf("a", "b", "c")) {
            val vector = FloatArray(size).also { buffer.get(it) }
            assertArrayEquals(embed(text), vector, 0f)
        }
        assertThrows(IllegalArgumentException::class.java) { embedInto(listOf(Input.text("d")), buffer) }
        assertThrows(IllegalArgumentException::class.java) {
            embedInto(listOf(Input.text("d")), java.nio.FloatBuffer.allocate(size))
        }
        Unit
    }

    @Test
    fun `classes of texts and pairs`() {
        val path = Host.model("bert-seqcls")
        val pair = Host.text("first").apply { addProperty("pair", "second 🎵") }
        val expected = Host.answers("classify", path, Host.texts.map(Host::text) + pair)
        session(path, SessionOptions(batch = 2)) {
            val found = classify(Host.texts) + classify("first", "second 🎵")
            found.forEachIndexed { i, result ->
                assertEquals(expected[i].string("label"), result.label)
                assertEquals(expected[i]["score"].asFloat, result.score)
                val scores = expected[i].getAsJsonObject("scores")
                val wanted = result.scores.keys.map { scores[it].asFloat }
                Host.assertSame("scores of $i", wanted, result.scores.values.toFloatArray())
                assertEquals(expected[i]["truncated"]?.asBoolean ?: false, result.truncated)
            }
            assertTrue(found[4].truncated && !found[0].truncated)
        }
    }

    @Test
    fun `entities with their places`() {
        val path = Host.model("bert-ner")
        val texts = listOf("Anna café 😀 Berlin and more", "", "🦜 東京 and 서울")
        val expected = Host.answers("tag", path, texts.map(Host::text), "--offsets", "utf16", "--aggregation", "average")
        session(path, SessionOptions(batch = 2)) {
            tag(texts, Aggregation.AVERAGE).forEachIndexed { i, entities ->
                val wanted = expected[i].getAsJsonArray("entities").map { it.asJsonObject }.map {
                    Entity(it.string("label"), it.string("text"), it["begin"].asInt, it["end"].asInt, it["score"].asFloat)
                }
                assertEquals(wanted, entities)
            }
            assertTrue(tag(texts[0]).isNotEmpty())
            assertTrue(tag(Host.texts[4], windows = true, stride = 4).last().end > 1000)
        }
    }

    @Test
    fun `answers with their places`() {
        val path = Host.model("bert-qa")
        val context = "😀 The kinglet weighs five grams. " + "It sings in the trees of 서울. ".repeat(40)
        val input = JsonObject().apply {
            addProperty("question", "How heavy is it?")
            addProperty("context", context)
        }
        val expected = Host.answers("answer", path, listOf(input), "--offsets", "utf16", "--top-k", "3")[0]
        session(path) {
            assertEquals(
                expected.getAsJsonArray("answers").map { it.asJsonObject }
                    .map { Answer(it.string("text"), it["begin"].asInt, it["end"].asInt, it["score"].asFloat) },
                answer("How heavy is it?", context, topK = 3),
            )
            assertEquals(emptyList<Answer>(), answer("How heavy?", ""))
        }
    }

    @Test
    fun `masked tokens`() {
        val path = Host.model("bert-pretraining", "fill-mask")
        val text = "a [MASK] and [MASK] 😀"
        val found = Host.answers("fill-mask", path, listOf(Host.text(text)), "--top-k", "4")[0]
        val expected = found.getAsJsonArray("masks")
        session(path) {
            val wanted = expected.map { mask ->
                mask.asJsonArray.map { it.asJsonObject }
                    .map { Prediction(it.string("token"), it["id"].asInt, it["score"].asFloat) }
            }
            assertEquals(wanted, fillMask(text, 4))
            assertThrows(KingletException::class.java) { fillMask("no mask") }
        }
    }

    @Test
    fun `raw outputs`() {
        val path = Host.model("bert-seqcls")
        val expected = Host.answers("encode", path, Host.texts.map(Host::text)).map { it.getAsJsonObject("outputs") }
        session(path, SessionOptions(rawOutputs = true)) {
            Host.texts.forEachIndexed { i, text ->
                val outputs = encode(text)
                assertEquals(expected[i].keySet(), outputs.keys)
                for ((name, output) in outputs) {
                    val wanted = expected[i].getAsJsonObject(name)
                    assertEquals(wanted.getAsJsonArray("shape").map { it.asInt }, output.shape)
                    val data = wanted.getAsJsonArray("data")
                        .flatMap { if (it.isJsonArray) it.asJsonArray.toList() else listOf(it) }
                    Host.assertSame("$name of $i", data.map { it.asFloat }, output.data)
                }
            }
        }
        session(path) { assertThrows(KingletException::class.java) { encode("not made for it") } }
    }

    @Test
    fun `ranking by a cross-encoder`() {
        val path = Host.model("bert-regression")
        val json = """{"query":"small birds","texts":["a 😀","kinglets","","stocks"]}"""
        val input = JsonParser.parseString(json).asJsonObject
        val expected = Host.answers("rerank", path, listOf(input))[0].getAsJsonArray("ranking")
        session(path) {
            assertEquals(
                expected.map { it.asJsonObject }.map { Ranked(it["index"].asInt, it["score"].asFloat) },
                rerank("small birds", listOf("a 😀", "kinglets", "", "stocks")),
            )
        }
    }
}
