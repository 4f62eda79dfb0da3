// What a call costs over the C API: MiniLM, 8 tokens, both in turn. Run by platforms/android/measure, not by itself.
package org.kinglet

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer

class CallCost {
    private external fun open(path: String): Boolean
    private external fun embed(text: ByteBuffer): Long

    @Test
    fun measure() {
        System.loadLibrary("kinglet_call_cost")
        val calls = Integer.getInteger("kinglet.calls", 1000)
        val path = Host.miniLm()
        val text = "a small bird sings to us"
        assertTrue(open(path))
        val bytes = text.toByteArray()
        val direct = ByteBuffer.allocateDirect(bytes.size).apply { put(bytes); flip() }
        KingletModel.open(path).use { model ->
            model.newSession().use { session ->
                println("call: ${session.tokenize(text).tokens.size} tokens, ${KingletModel.isa}")
                val here = LongArray(calls)
                val there = LongArray(calls)
                repeat(2) {
                    for (i in 0 until calls) {
                        // Who comes first finds the caches colder.
                        if (i % 2 == 0) there[i] = embed(direct)
                        val begin = System.nanoTime()
                        val vector = session.embed(text)
                        here[i] = System.nanoTime() - begin
                        assertEquals(384, vector.size)
                        if (i % 2 != 0) there[i] = embed(direct)
                    }
                }
                // Paired differences: both of a pair met the same machine.
                val over = LongArray(calls) { here[it] - there[it] }.sorted()[calls / 2]
                val kotlin = here.sorted()[calls / 2] / 1000.0
                val c = there.sorted()[calls / 2] / 1000.0
                println("call: Kotlin $kotlin us, C $c us, median of the differences ${over / 1000.0} us")
            }
        }
    }
}
