/*
 * How a pycyto script runs. Nothing here is a script by itself: each script loads these
 * classes, one per file, from the folder "lib" beside itself; so does the Python package.
 * The names do not end in .groovy, so that QuPath's script menus leave them out.
 *
 * The files that they read and write are described in docs/formats.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.concurrent.Callable
import javafx.application.Platform
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.fx.utils.FXUtils

class Pycyto {
    static final Logger LOG = LoggerFactory.getLogger('pycyto')
    static final int SCHEMA = 1
    static final String VERSION = '0.1.0'  // of the Python package that these scripts belong to
    static final String UNKNOWN = 'unknown'

    /**
     * Runs a script's action on the image(s) at hand, and leaves a result file whatever happens.
     *
     * @param script    the script itself ("this")
     * @param name      its name without ".groovy"
     * @param settings  its settings; a config file given as first argument overrides them
     * @param action    gets a PycytoJob and a PycytoImage, returns the counts of what it did
     */
    static void run(Script script, String name, Map<String, Object> settings, Closure<Map<String, Object>> action) {
        guarded(script, name, settings) { PycytoJob job ->
            job.lock(job.project.workspace)
            for (PycytoImage image in job.images()) {
                job.handle(image, action)
            }
        }
    }

    /**
     * ... on the project as a whole: no image has to be open, and the action locks what it writes to.
     *
     * @param action  gets a PycytoJob, returns the counts of what it did
     */
    static void runOnProject(Script script, String name, Map<String, Object> settings, Closure<Map<String, Object>> action) {
        guarded(script, name, settings) { PycytoJob job -> job.counts = action.call(job) }
    }

    private static void guarded(Script script, String name, Map<String, Object> settings, Closure action) {
        def job = new PycytoJob(script, name)
        try {
            job.configure(settings)
            job.openProject()
            action.call(job)
        } catch (PycytoRefusal refusal) {
            job.error = refusal.message
        } catch (Throwable e) {
            LOG.error(name, e)
            job.error = e.toString()
        } finally {
            job.unlock()
            job.finish()
        }
    }

    /**
     * Does what takes long on a thread of its own where QuPath has started the script on the window's,
     * which must not wait; else right here.
     */
    static void offWindow(Closure<?> action) {
        if (Platform.isFxApplicationThread()) {
            new Thread({ action.call() } as Runnable, 'pycyto').start()
        } else {
            action.call()
        }
    }

    /**
     * Runs a script that opens a window of its own for the open project; where QuPath has no window, and in
     * "Run for project", it runs image by image instead.
     *
     * @param window  gets a PycytoJob, and shows something that stays
     * @param action  as that of "run"
     */
    static void open(Script script, String name, Map<String, Object> settings, Closure window, Closure<Map<String, Object>> action) {
        def job = new PycytoJob(script, name)
        if (!job.isInWindow()) {
            run(script, name, settings, action)
            return
        }
        try {
            job.configure(settings)
            job.openProject()
            window.call(job)
        } catch (PycytoRefusal refusal) {
            job.error = refusal.message
        } catch (Throwable e) {
            LOG.error(name, e)
            job.error = e.toString()
        }
        if (job.error) {
            job.finish()
        }
    }

    /** Stops the work on an image (or the script) with a message for the user. */
    static void refuse(String message, String kind = 'refused') {
        throw new PycytoRefusal(message, kind)
    }

    /** Runs something on the thread of the window, waits for it and returns what it does. */
    static <T> T inWindow(Closure<T> action) {
        if (Platform.isFxApplicationThread()) {
            return action.call()
        }
        T result = null
        Throwable problem = null
        def attempt = {
            try {
                result = action.call()
            } catch (Throwable e) {
                problem = e  // would only be logged there
            }
        }
        FXUtils.callOnApplicationThread(attempt as Callable)
        if (problem != null) {
            throw problem
        }
        return result
    }
}
