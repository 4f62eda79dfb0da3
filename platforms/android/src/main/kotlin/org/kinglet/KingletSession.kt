// What computes: one call at a time, on memory of its own.
package org.kinglet

import java.nio.FloatBuffer
import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Computes with a model. Made by [KingletModel.newSession].
 *
 * A session has one call at a time: a second thread that calls it waits for the first. Calls block; in coroutines
 * `session.await { embed(text) }` (see [await]) runs them on another thread and cancels them with the coroutine.
 *
 * Texts of any length and content are valid: what is too long is cut, a surrogate without its other half is read as
 * U+FFFD. Places in texts count UTF-16 units.
 *
 * [close] cancels the call in progress, waits for it and frees the session's memory. Closing twice does nothing; every
 * other use after [close] is an [IllegalStateException]. All functions throw [KingletException] for what the model or
 * its settings refuse.
 */
public class KingletSession internal constructor(
    private var handle: Long,
    /** The model it computes with. Reachable from here, so that memory it lies in lives as long as the session. */
    public val model: KingletModel,
    /** The settings it was made with. */
    public val options: SessionOptions,
) : AutoCloseable {
    private val lock = ReentrantLock()
    private val guard = Any() // keeps `cancel` from a session that is being freed
    private var running: Cancellation? = null // guarded by `guard`

    /** Bytes of native memory that the session took when it was made. */
    public val memory: Long get() = call { Native.sessionMemory(it) }

    /** The embedding of a text. */
    public fun embed(text: String): FloatArray = call { Native.embed(it, arrayOf(text), null, null, null) }

    /** The embedding of an input. */
    public fun embed(input: Input): FloatArray = embedInputs(listOf(input))[0]

    /** The embeddings of texts, in their order. */
    public fun embed(texts: List<String>): List<FloatArray> = embedInputs(texts.map(Input::text))

    /** The embeddings of inputs, in their order. */
    public fun embedInputs(inputs: List<Input>): List<FloatArray> {
        val all = Columns(inputs)
        val numbers = call { Native.embed(it, all.texts, all.pairs, all.ids, all.typeIds) }
        if (inputs.size == 1) return listOf(numbers)
        val size = model.info.embeddingSize
        return List(inputs.size) { numbers.copyOfRange(it * size, (it + 1) * size) }
    }

    /**
     * Writes the embeddings of inputs into a direct buffer in native byte order, from its position on, and moves its
     * position behind them. Nothing is copied in between.
     */
    public fun embedInto(inputs: List<Input>, into: FloatBuffer) {
        require(into.isDirect) { "into: expected a direct buffer" }
        require(into.order() == java.nio.ByteOrder.nativeOrder()) { "into: expected ByteOrder.nativeOrder()" }
        require(!into.isReadOnly) { "into: is read-only" }
        val count = inputs.size.toLong() * model.info.embeddingSize
        require(count <= into.remaining()) { "into: has room for ${into.remaining()} numbers, expected $count" }
        val all = Columns(inputs)
        call { Native.embedInto(it, all.texts, all.pairs, all.ids, all.typeIds, into, into.position()) }
        (into as java.nio.Buffer).position(into.position() + count.toInt())
    }

    /** The cosine of the embeddings of two texts, from -1 to 1. */
    public fun similarity(a: String, b: String): Float = call { Native.similarity(it, arrayOf(a, b)) }

    /** The classes of a text. */
    public fun classify(text: String): Classification = classifyInputs(listOf(Input.text(text)))[0]

    /** The classes of a pair of texts. */
    public fun classify(text: String, pair: String): Classification = classifyInputs(listOf(Input.pair(text, pair)))[0]

    /** The classes of an input. */
    public fun classify(input: Input): Classification = classifyInputs(listOf(input))[0]

    /** The classes of texts, in their order. */
    public fun classify(texts: List<String>): List<Classification> = classifyInputs(texts.map(Input::text))

    /** The classes of inputs, in their order. */
    public fun classifyInputs(inputs: List<Input>): List<Classification> {
        val all = Columns(inputs)
        val numbers = call { Native.classify(it, all.texts, all.pairs, all.ids, all.typeIds) }
        return List(inputs.size) { classification(model.info, numbers, it) }
    }

    /** Texts by how well they fit a query, the best first. For cross-encoders: classifiers of pairs with one output. */
    public fun rerank(query: String, texts: List<String>): List<Ranked> {
        val all = arrayOfNulls<String>(texts.size + 1)
        all[0] = query
        texts.forEachIndexed { i, text -> all[i + 1] = text }
        val scores = call { Native.rerank(it, all) }
        return scores.mapIndexed { i, score -> Ranked(i, score) }.sortedByDescending { it.score }
    }

    /** The entities of a text, in its order. See [tag] for texts. */
    @JvmOverloads
    public fun tag(
        text: String,
        aggregation: Aggregation = Aggregation.SIMPLE,
        windows: Boolean = false,
        stride: Int = 0,
    ): List<Entity> = tag(listOf(text), aggregation, windows, stride)[0]

    /**
     * The entities of texts.
     *
     * @param aggregation how the labels of the pieces of a word become one.
     * @param windows true: a text that is too long is read in windows instead of being cut.
     * @param stride tokens that a window shares with the one before it.
     */
    @JvmOverloads
    public fun tag(
        texts: List<String>,
        aggregation: Aggregation = Aggregation.SIMPLE,
        windows: Boolean = false,
        stride: Int = 0,
    ): List<List<Entity>> {
        require(stride >= 0) { "stride: $stride, expected 0 or more" }
        return inBatches(texts) { session, some ->
            val packed = Packed(Native.tag(session, some.toTypedArray(), aggregation.ordinal, windows, stride))
            some.map { text ->
                List(packed.int()) {
                    val begin = packed.int()
                    val end = packed.int()
                    val label = model.info.labels[packed.int()].substringAfter('-')
                    Entity(label, text.substring(begin, end), begin, end, packed.float())
                }
            }
        }
    }

    /**
     * Answers to a question from a context of any length, the best first.
     *
     * @param topK the most answers; at most [SessionOptions.topK].
     * @param maxAnswerTokens the longest answer; 0: 15.
     * @param maxLength tokens of a window that the context is read in; 0: 384 or what the session can.
     * @param stride tokens that a window shares with the one before it; 0: 128 or less.
     * @param noAnswer whether "there is none", an empty text, competes.
     */
    @JvmOverloads
    public fun answer(
        question: String,
        context: String,
        topK: Int = 1,
        maxAnswerTokens: Int = 0,
        maxLength: Int = 0,
        stride: Int = 0,
        noAnswer: Boolean = false,
    ): List<Answer> {
        require(topK >= 1) { "topK: $topK, expected at least 1" }
        require(maxAnswerTokens >= 0) { "maxAnswerTokens: $maxAnswerTokens, expected 0 or more" }
        require(maxLength >= 0) { "maxLength: $maxLength, expected 0 or more" }
        require(stride >= 0) { "stride: $stride, expected 0 or more" }
        val packed = call {
            Packed(Native.answer(it, question, context, topK, maxAnswerTokens, maxLength, stride, noAnswer))
        }
        return List(packed.size / 3) {
            val begin = packed.int()
            val end = packed.int()
            Answer(context.substring(begin, end), begin, end, packed.float())
        }
    }

    /** For every mask in a text the [topK] tokens that fit best. */
    @JvmOverloads
    public fun fillMask(text: String, topK: Int = 5): List<List<Prediction>> = fillMask(Input.text(text), topK)

    /** For every mask in an input the [topK] tokens that fit best, at most [SessionOptions.topK]. */
    @JvmOverloads
    public fun fillMask(input: Input, topK: Int = 5): List<List<Prediction>> {
        require(topK >= 1) { "topK: $topK, expected at least 1" }
        val all = Columns(listOf(input))
        return call { session ->
            val packed = Packed(Native.fillMask(session, all.texts, all.pairs, all.ids, all.typeIds, topK))
            List(packed.int()) {
                List(packed.int()) {
                    val id = packed.int()
                    Prediction(Native.sessionTokenText(session, id), id, packed.float())
                }
            }
        }
    }

    /** The tokens of a text. See [tokenize] for pairs. */
    public fun tokenize(text: String): Tokens = tokenize(text, null, 0)

    /**
     * The tokens of a text, or of a pair.
     *
     * @param pair the second text, or null. Places in it count from its own start.
     * @param maxLength the most tokens, special tokens included; 0 cuts nothing.
     */
    @JvmOverloads
    public fun tokenize(text: String, pair: String?, maxLength: Int = 0): Tokens {
        require(maxLength >= 0) { "maxLength: $maxLength, expected 0 or more" }
        val found = call { Native.tokenize(it, text, pair, maxLength) }
        val numbers = found[0] as IntArray
        val names = found[1] as Array<*>
        val count = numbers[0]
        val tokens = List(count) { i ->
            val span = 2 + 2 * count + 2 * i
            Token(numbers[2 + i], numbers[2 + count + i], names[i] as String, numbers[span], numbers[span + 1])
        }
        return Tokens(tokens, numbers[1] != 0)
    }

    /** The raw outputs of a text by their names. The session must be made with [SessionOptions.rawOutputs]. */
    public fun encode(text: String): Map<String, Output> = encode(Input.text(text))

    /** The raw outputs of an input by their names. The session must be made with [SessionOptions.rawOutputs]. */
    public fun encode(input: Input): Map<String, Output> {
        val all = Columns(listOf(input))
        val found = call { Native.encode(it, all.texts, all.pairs, all.ids, all.typeIds) }
        val shapes = Packed(found[0] as IntArray)
        val names = model.info.outputs
        return names.indices.associate { i ->
            val rank = shapes.int()
            val shape = listOf(shapes.int(), shapes.int()).take(rank)
            names[i] to Output(names[i], shape, found[i + 1] as FloatArray)
        }
    }

    /**
     * Ends the call in progress, if any, with [Status.CANCELLED]. From any thread; later calls are not touched. Does
     * nothing on a closed session.
     */
    public fun cancel(): Unit = synchronized(guard) {
        if (handle != 0L) Native.cancel(handle)
    }

    /** Frees the session. */
    override fun close() {
        // Again and again: a call that is only about to begin does not see a cancellation.
        lockWhile { cancel() }
        try {
            val freed = synchronized(guard) { handle.also { handle = 0 } }
            if (freed != 0L) Native.closeSession(freed)
        } finally {
            lock.unlock()
        }
    }

    /** Names the session's model. */
    override fun toString(): String = "KingletSession($model, $options)"

    /** A block of calls that may be cancelled as one, without touching those of others. */
    internal class Cancellation {
        @Volatile
        var requested: Boolean = false
    }

    /** Runs a block with the session to itself. Throws CANCELLED where [cancellation] was requested before a call. */
    internal fun <T> exclusively(cancellation: Cancellation, block: KingletSession.() -> T): T {
        lockWhile { stopIf(cancellation) }
        var outer: Cancellation? = null
        try {
            synchronized(guard) {
                outer = running
                running = cancellation
            }
            stopIf(cancellation)
            return block()
        } finally {
            synchronized(guard) { running = outer }
            lock.unlock()
        }
    }

    /** Ends the call in progress if it is of [cancellation]'s block. */
    internal fun cancel(cancellation: Cancellation) {
        cancellation.requested = true
        synchronized(guard) {
            if (handle != 0L && running === cancellation) Native.cancel(handle)
        }
    }

    /** Takes the lock; does something every other millisecond until it is free. Interruptions are kept for later. */
    private inline fun lockWhile(waiting: () -> Unit) {
        var interrupted = false
        try {
            while (true) {
                try {
                    if (lock.tryLock(2, TimeUnit.MILLISECONDS)) return
                } catch (_: InterruptedException) {
                    interrupted = true
                }
                waiting()
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt()
        }
    }

    private fun stopIf(cancellation: Cancellation?) {
        if (cancellation != null && cancellation.requested) {
            throw KingletException(Status.CANCELLED.ordinal, "cancelled")
        }
    }

    private inline fun <T> call(block: (Long) -> T): T = lock.withLock {
        check(handle != 0L) { "the session is closed" }
        stopIf(running)
        block(handle)
    }

    /** For tasks that keep their results in the session, which has room for those of a batch. */
    private inline fun <T> inBatches(texts: List<String>, task: (Long, List<String>) -> List<T>): List<T> {
        if (texts.size <= options.batch) return call { task(it, texts) }
        val results = ArrayList<T>(texts.size)
        for (begin in texts.indices step options.batch) {
            val end = minOf(texts.size, begin + options.batch)
            results += call { task(it, texts.subList(begin, end)) }
        }
        return results
    }
}

private fun classification(info: ModelInfo, numbers: FloatArray, index: Int): Classification {
    val count = info.labels.size
    val first = index * (2 * count + 1)
    val scores = LinkedHashMap<String, Float>(2 * count)
    var best = 0
    for (i in 0 until count) {
        scores[info.labels[i]] = numbers[first + i]
        if (numbers[first + i] > numbers[first + best]) best = i
    }
    val several = info.scoring == Scoring.SIGMOID && count > 1
    return Classification(
        label = info.labels[best],
        score = numbers[first + best],
        scores = scores,
        labels = if (several) info.labels.filterIndexed { i, _ -> numbers[first + i] > 0.5f } else emptyList(),
        value = if (count == 1) numbers[first + 1] else null,
        truncated = numbers[first + 2 * count] != 0f,
    )
}

/** Inputs as the native functions take them: a column for each kind, null where none has it. */
private class Columns(inputs: List<Input>) {
    val texts: Array<String?>? = column(inputs) { it.text } ?: if (inputs.isEmpty()) emptyArray() else null
    val pairs: Array<String?>? = column(inputs) { it.pair }
    val ids: Array<IntArray?>? = column(inputs) { it.ids }
    val typeIds: Array<IntArray?>? = column(inputs) { it.typeIds }

    private inline fun <reified T : Any> column(inputs: List<Input>, value: (Input) -> T?): Array<T?>? {
        var found: Array<T?>? = null
        for (i in inputs.indices) {
            val own = value(inputs[i]) ?: continue
            val array = found ?: arrayOfNulls<T>(inputs.size).also { found = it }
            array[i] = own
        }
        return found
    }
}

/** Reads the numbers of a native result in their order; floats are there by their bits. */
private class Packed(private val numbers: IntArray) {
    private var at = 0
    val size: Int get() = numbers.size

    fun int(): Int = numbers[at++]
    fun float(): Float = Float.fromBits(numbers[at++])
}
