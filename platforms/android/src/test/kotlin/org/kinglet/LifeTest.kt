// Closing, threads, cancelling, memory.
package org.kinglet

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.Callable
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors

class LifeTest {
    private val path = Host.model("bert", "embed")
    // Takes many seconds unless it is cancelled.
    private val forever = List(200_000) { "a b c d e f g h i j k l m n o p" }

    private fun closed(what: String, call: () -> Unit) =
        assertEquals("the $what is closed", assertThrows(IllegalStateException::class.java) { call() }.message)

    @Test
    fun `use after close`() {
        val model = KingletModel.open(path)
        val session = model.newSession()
        model.close()
        model.close()
        closed("model") { model.newSession() }
        closed("model") { model.selfTest() }
        closed("model") { model.token(0) }
        assertEquals(Task.EMBED, model.info.task)
        session.embed("sessions outlive their model")
        session.close()
        session.close()
        session.cancel()
        closed("session") { session.embed("a") }
        closed("session") { session.tokenize("a") }
        closed("session") { session.memory }
    }

    @Test
    fun `many threads on one session and on their own`() = KingletModel.open(path).use { model ->
        val expected = model.newSession().use { it.embed(Host.texts).map { vector -> vector.toList() } }
        val shared = model.newSession(SessionOptions(threads = 2))
        val threads = Executors.newFixedThreadPool(8)
        val work = List(8) { i ->
            threads.submit(Callable {
                repeat(20) {
                    assertEquals(expected, shared.embed(Host.texts).map { vector -> vector.toList() })
                    if (i % 2 == 0) {
                        model.newSession().use { own -> assertEquals(expected[3], own.embed(Host.texts[3]).toList()) }
                    }
                }
            })
        }
        work.forEach { it.get() }
        threads.shutdown()
        shared.close()
    }

    @Test
    fun `cancelling ends the call in progress and no other`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            val threads = Executors.newSingleThreadExecutor()
            val begun = CountDownLatch(1)
            val call = threads.submit(Callable {
                begun.countDown()
                session.embed(forever)
            })
            begun.await()
            val canceller = Thread { while (!call.isDone) { session.cancel(); Thread.sleep(1) } }.apply { start() }
            val error = assertThrows(ExecutionException::class.java) { call.get() }.cause as KingletException
            assertEquals(Status.CANCELLED, error.status)
            canceller.join()
            session.cancel()
            session.embed("goes on")
            threads.shutdown()
        }
    }

    @Test
    fun `closing ends the call in progress`() = KingletModel.open(path).use { model ->
        val session = model.newSession()
        val threads = Executors.newSingleThreadExecutor()
        val call = threads.submit(Callable { session.embed(forever) })
        Thread.sleep(20)
        session.close()
        val error = assertThrows(ExecutionException::class.java) { call.get() }.cause
        assertTrue("$error", error is IllegalStateException || (error as KingletException).status == Status.CANCELLED)
        threads.shutdown()
    }

    @Test
    fun `an interrupted thread closes too`() = KingletModel.open(path).use { model ->
        val session = model.newSession()
        Thread.currentThread().interrupt()
        session.close()
        assertTrue(Thread.interrupted())
        closed("session") { session.embed("a") }
    }

    @Test
    fun `coroutines`() = KingletModel.open(path).use { model ->
        model.newSession().use { session ->
            runBlocking {
                val expected = session.embed("a").toList()
                assertEquals(expected, session.await { embed("a") }.toList())
                val many = List(20) { async(Dispatchers.Default) { session.await { embed("a") }.toList() } }
                many.forEach { assertEquals(expected, it.await()) }
                assertNull(withTimeoutOrNull(30) { session.await { embed(forever) } })
                // Cancelled before, while, and after it begins; what waits behind it is not touched.
                for (pause in 0L..8L) {
                    val cancelled = launch { session.await { embed(forever) } }
                    val waiting = async { delay(1); session.await { embed("a") }.toList() }
                    delay(pause)
                    cancelled.cancel()
                    cancelled.join()
                    assertTrue(cancelled.isCancelled)
                    assertEquals(expected, waiting.await())
                }
                val failure = runCatching { session.await { classify("a") } }.exceptionOrNull()
                assertEquals(Status.WRONG_TASK, (failure as KingletException).status)
                // A cancellation that no coroutine asked for is an ordinary failure.
                val other = async { runCatching { session.await { embed(forever) } }.exceptionOrNull() }
                while (!other.isCompleted) { delay(2); session.cancel() }
                assertEquals(Status.CANCELLED, (other.await() as KingletException).status)
                assertTrue(other.await() !is CancellationException)
            }
        }
    }

    /** kinglet.cycles: how often; 10,000 by platforms/android/measure. */
    @Test
    fun `memory is flat`() {
        val cycles = Integer.getInteger("kinglet.cycles", 400)
        val bytes = java.io.File(path).readBytes()
        val direct = java.nio.ByteBuffer.allocateDirect(bytes.size).put(bytes).apply { flip() } as java.nio.ByteBuffer
        fun cycle() {
            val options = SessionOptions(threads = 2)
            KingletModel.open(path).use { model -> model.newSession(options).use { it.embed("a b c") } }
            KingletModel.open(direct).use { model -> model.newSession().use { it.tokenize("a b c") } }
            assertThrows(KingletException::class.java) { KingletModel.open("no-such-file.kgl") }
        }
        repeat(cycles / 2) { cycle() }
        System.gc()
        val before = Host.residentKilobytes()
        repeat(cycles) { cycle() }
        System.gc()
        val grown = Host.residentKilobytes() - before
        println("memory: ${2 * cycles} open-run-close cycles, grown by $grown KB of $before KB")
        assertTrue("grown by $grown KB in ${2 * cycles} cycles", grown < 8 * 1024)
    }
}
