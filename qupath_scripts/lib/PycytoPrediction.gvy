/*
 * "pycyto predict" on one image, started from inside QuPath. What it leaves is a staged run, or
 * nothing: when it is cancelled, fails, or QuPath ends, what is half made is deleted.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

class PycytoPrediction {
    private final PycytoProject project
    private final PycytoCommand command
    private final PycytoProgress progress
    private final List<String> errors = []
    private String name  // of the run, as soon as it has one

    private PycytoPrediction(PycytoProject project, PycytoCommand command, PycytoProgress progress) {
        this.project = project
        this.command = command
        this.progress = progress
    }

    /** What to call of pycyto for an image, and for chosen objects of it: null for all. */
    static List<String> words(PycytoImage image, String python, File model, Map<String, Object> config, File cells) {
        List<String> words = [python, *PycytoPython.PYCYTO, '--events', 'predict', image.project.folder.path, '--model', model.path,
                              '--backend', 'geojson', '--images', image.id, '--objects', config.objects as String]
        return words + (cells == null ? [] : ['--cells', cells.path]) + (config.any_resolution ? ['--any-resolution'] : [])
    }

    /** Runs it to its end, and returns the staged run. */
    static PycytoRun run(PycytoProject project, PycytoCommand command, PycytoProgress progress) {
        return new PycytoPrediction(project, command, progress).perform()
    }

    private PycytoRun perform() {
        def atExit = new Thread({ command.cancel(); clearAway() } as Runnable)
        Runtime.runtime.addShutdownHook(atExit)
        boolean isStaged = false
        try {
            int code = command.run { Map<String, Object> event -> heed(event) }
            if (code != 0 || name == null) {
                Pycyto.refuse(errors.join('\n') ?: ["pycyto has ended unexpectedly (exit code ${code}).", command.lastWords()].findAll().join('\n'), 'bad input')
            }
            isStaged = true
            return PycytoRun.chosen(project, name)
        } finally {
            if (!isStaged) {
                clearAway()
            }
            command.forget()
            stopWaiting(atExit)
        }
    }

    private void heed(Map<String, Object> event) {
        switch (event.event) {
            case 'progress': progress.progress(event.of as String, event.done as long, event.total as Long); break
            case 'said': Pycyto.LOG.info(event.text as String); break
            case 'warning': Pycyto.LOG.warn(event.text as String); break
            case 'told': name = event.run; break
            case 'error': errors << (event.text as String); break
        }
    }

    /** A run without run.json is none yet. One that was whole when it was cancelled is withdrawn. */
    private void clearAway() {
        if (name == null) {
            return
        }
        def folder = new File(project.workspace, "runs/${name}")
        if (!new File(folder, 'run.json').exists()) {
            folder.deleteDir()
        } else if (command.cancelled) {
            def run = new PycytoRun(project, folder)
            run.imageIds.each { run.note(it, [state: 'undone']) }
        }
    }

    private static void stopWaiting(Thread atExit) {
        try {
            Runtime.runtime.removeShutdownHook(atExit)
        } catch (IllegalStateException ending) {
            Pycyto.LOG.debug('QuPath is ending', ending)
        }
    }
}
