// Texts between UTF-16 and UTF-8: tokens and places against the command line, halves of characters, huge strings.
package org.kinglet

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class TextsTest {
    private val path = Host.model("bert", "embed")

    private fun compare(session: KingletSession, texts: List<String>) {
        val expected = Host.answers("tokenize", path, texts.map(Host::text), "--offsets", "utf16")
        texts.forEachIndexed { i, text ->
            val tokens = session.tokenize(text).tokens
            assertEquals(expected[i].getAsJsonArray("ids").map { it.asInt }, tokens.map { it.id })
            assertEquals(expected[i].getAsJsonArray("tokens").map { it.asString }, tokens.map { it.token })
            val places = expected[i].getAsJsonArray("offsets")
                .map { if (it.isJsonNull) listOf(-1, -1) else it.asJsonArray.map { place -> place.asInt } }
            assertEquals("places in '$text'", places, tokens.map { listOf(it.begin, it.end) })
        }
    }

    @Test
    fun `tokens and their places`() {
        // Characters of one to four bytes around the place where the native side cuts strings into pieces.
        val pieces = (1020..1026).map { "x ".repeat(it / 2) + "y".repeat(it % 2) + "🦜é東 end" }
        KingletModel.open(path).use { it.newSession().use { session -> compare(session, Host.texts + pieces) } }
    }

    @Test
    fun `pairs count from the start of their own text`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            val tokens = session.tokenize("😀 a", "😀😀 b").tokens
            assertEquals(3 to 4, tokens.first { it.typeId == 0 && it.token == "a" }.let { it.begin to it.end })
            assertEquals(5 to 6, tokens.first { it.typeId == 1 && it.token == "b" }.let { it.begin to it.end })
            assertTrue(session.tokenize("a b c d e f", null, 5).let { it.truncated && it.tokens.size == 5 })
        }
    }

    @Test
    fun `half of a character is read as U+FFFD and takes one unit`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            for (half in listOf("\uD83D", "\uDE00", "\uDE00\uD83D", "\uD83D\uD83D")) {
                for (text in listOf(half, "a $half b", "a$half", "x".repeat(1023) + half + " b")) {
                    val good = text.map { if (it.isSurrogate()) '\uFFFD' else it }.joinToString("")
                    assertEquals(session.tokenize(good), session.tokenize(text))
                    assertEquals(session.embed(good).toList(), session.embed(text).toList())
                }
            }
            // A high half at the end of a piece, and its low half at the start of the next one.
            val split = "x".repeat(1023) + "😀 b"
            assertEquals(1026 to 1027, session.tokenize(split).tokens.last { it.token == "b" }.let { it.begin to it.end })
        }
    }

    @Test
    fun `a huge text is cut`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            val huge = "word 東京 ".repeat(1_000_000)
            assertEquals(session.embed(huge.substring(0, 10_000)).toList(), session.embed(huge).toList())
            assertTrue(session.tokenize(huge, null, 100).truncated)
            assertEquals(100_002, session.tokenize("a ".repeat(100_000)).tokens.size)
        }
    }

    @Test
    fun `bad ids are refused`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            for (bad in listOf(Input.ids(intArrayOf(1 shl 30)), Input.ids(intArrayOf(-1)), Input.ids(intArrayOf()),
                Input.ids(intArrayOf(1, 2), intArrayOf(0)), Input.ids(intArrayOf(1, 2), intArrayOf(0, 99)))) {
                val error = assertThrows(KingletException::class.java) { session.embed(bad) }
                assertTrue(error.message, error.status == Status.INVALID_ARGUMENT)
            }
        }
    }
}
