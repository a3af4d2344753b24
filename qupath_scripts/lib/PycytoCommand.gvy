/*
 * A pycyto command at work in a process of its own, which tells what it does as events
 * ("--events", see docs/formats.md).
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import com.google.gson.JsonParseException
import com.google.gson.JsonParser
import java.util.concurrent.TimeUnit
import java.util.function.Consumer

class PycytoCommand {
    private static final int LINES_SHOWN = 12
    private static final int SECONDS_TO_END = 20

    private final List<String> words
    private final File log = File.createTempFile('pycyto', '.txt')
    private Process process
    private volatile boolean isCancelled = false

    PycytoCommand(List<String> words) {
        this.words = words
    }

    /**
     * Runs it to its end, and returns its exit code.
     *
     * @param listener  is told each event, on a thread of its own
     */
    int run(Consumer<Map<String, Object>> listener) {
        synchronized (this) {
            checkNotCancelled()
            process = new ProcessBuilder(words).redirectError(log).start()
        }
        process.outputStream.close()
        def reader = Thread.start('pycyto events') { process.inputStream.eachLine('UTF-8') { String line -> heed(line, listener) } }
        try {
            int code = process.waitFor()
            reader.join()
            checkNotCancelled()
            return code
        } catch (InterruptedException stopped) {  // "Stop" in the script editor
            cancel()
            reader.join()
            checkNotCancelled()
        }
    }

    /** Ends it at once, with all that it has started; from any thread. */
    synchronized void cancel() {
        isCancelled = true
        if (process != null) {
            def started = process.descendants().toList()  // on Windows the real Python is one of these
            process.destroyForcibly()
            started.each { it.destroyForcibly() }
            process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)
        }
    }

    boolean isCancelled() {
        return isCancelled
    }

    /** The last lines that it has printed and that are no events: what is left to tell of an unexpected end. */
    String lastWords() {
        return log.readLines('UTF-8').findAll { it.trim() }.takeRight(LINES_SHOWN).join('\n')
    }

    void forget() {
        log.delete()
    }

    private void checkNotCancelled() {
        if (isCancelled) {
            Pycyto.refuse('Cancelled. Nothing was changed.', 'cancelled')
        }
    }

    /** A library may print among the events. */
    private static void heed(String line, Consumer<Map<String, Object>> listener) {
        try {
            listener.accept(PycytoFiles.toMap(JsonParser.parseString(line).asJsonObject))
        } catch (JsonParseException | IllegalStateException noEvent) {
            Pycyto.LOG.debug(line, noEvent)
        }
    }
}
