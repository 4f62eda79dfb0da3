// What the tests share: models converted by this machine's command line, and its answers to compare with.
package org.kinglet

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.Assert.assertEquals
import org.junit.Assert.fail
import org.junit.Assume.assumeTrue
import java.io.File
import java.nio.file.Files

internal object Host {
    private val cli = System.getProperty("kinglet.cli")
    private val data = File(System.getProperty("kinglet.data"))
    private val folder: File = Files.createTempDirectory("kinglet").toFile().also { it.deleteOnExit() }

    val texts: List<String> = listOf(
        "a gripping , beautifully acted film",
        "no",
        "",
        "naïve café, 東京 and 서울: 10 €, 🦜🦜 unaffable!",
        "word ".repeat(300),
    )

    /** A model file made of a checkpoint: one of tests/data/tiny, or of the shared folder's. */
    fun model(name: String, task: String? = null): String = synchronized(this) {
        val shared = System.getenv("KINGLET_SHARED")?.let { File("$it/models/tiny/$name") }
        val checkpoint = listOfNotNull(File(data, name), shared).firstOrNull { it.isDirectory }
        if (checkpoint == null) skip("tiny/$name under JNI", "it is in KINGLET_SHARED")
        convert(checkpoint!!, File(folder, "$name-$task.kgl"), task)
    }

    /** all-MiniLM-L6-v2. */
    fun miniLm(): String = synchronized(this) {
        val checkpoint = System.getenv("KINGLET_MINILM")
        if (checkpoint == null) skip("all-MiniLM-L6-v2 under JNI", "KINGLET_MINILM is not set")
        convert(File(checkpoint!!), File(folder, "minilm.kgl"), null)
    }

    /** Answers of the command line to inputs, one a line of --jsonl; places count UTF-16 units. */
    fun answers(command: String, model: String, inputs: List<JsonObject>, vararg options: String): List<JsonObject> {
        val arguments = listOf(cli, command, model, "--json", "--jsonl", *options)
        val process = ProcessBuilder(arguments).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        process.outputStream.bufferedWriter().use { out -> inputs.forEach { out.write("$it\n") } }
        val lines = process.inputStream.bufferedReader().readLines()
        assertEquals("status of $arguments", 0, process.waitFor())
        return lines.map { JsonParser.parseString(it).asJsonObject }
    }

    fun text(text: String): JsonObject = JsonObject().apply { addProperty("text", text) }

    /** The same bits: the command line prints enough digits. */
    fun assertSame(what: String, expected: Iterable<Float>, actual: FloatArray) {
        val wanted = expected.toList()
        assertEquals("$what: how many", wanted.size, actual.size)
        for (i in actual.indices) {
            val same = wanted[i].toRawBits() == actual[i].toRawBits()
            if (!same) fail("$what: number $i is ${actual[i]}, not ${wanted[i]}")
        }
    }

    fun residentKilobytes(): Long = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
        .filter { it.isDigit() }.toLong()

    private fun convert(checkpoint: File, output: File, task: String?): String {
        if (!output.exists()) {
            val arguments = listOf(cli, "convert", checkpoint.path, "-o", output.path) +
                if (task == null) emptyList() else listOf("--task", task)
            val process = ProcessBuilder(arguments).redirectErrorStream(true).start()
            val said = process.inputStream.bufferedReader().readText()
            assertEquals("$arguments: $said", 0, process.waitFor())
            output.deleteOnExit()
        }
        return output.path
    }

    private fun skip(what: String, why: String) {
        println("SKIPPED: $what: $why")
        assumeTrue(why, false)
    }
}
