/*
 * From cells to predictions in one go: the file of cells, "pycyto predict", and the run loaded.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

class PycytoPredicting {
    private final PycytoJob job
    private final PycytoImage image
    private final PycytoChoice chosen  // null: all cells
    private PycytoProgress progress

    private PycytoPredicting(PycytoJob job, PycytoImage image, PycytoChoice chosen) {
        this.job = job
        this.image = image
        this.chosen = chosen
    }

    /** Predicts an image that has nothing unsaved, and returns the counts. */
    static Map<String, Object> predict(PycytoJob job, PycytoImage image, PycytoChoice chosen) {
        return new PycytoPredicting(job, image, chosen).perform()
    }

    private Map<String, Object> perform() {
        String python = PycytoPython.find(job.project, job.config.python as String)
        File model = PycytoModel.find(job.project, job.config.model as String)
        String before = image.dataSha256()
        PycytoCells.write(image)
        File cells = chosen == null ? null : listOf(chosen.ids)
        try {
            def config = job.config + (chosen == null ? [:] : [objects: chosen.objects])
            def command = new PycytoCommand(PycytoPrediction.words(image, python, model, config, cells))
            progress = PycytoProgress.show(job.project.gui, "pycyto: ${job.name}", "${what()}\nModel: ${model.name}", command.&cancel)
            def run = PycytoPrediction.run(job.project, command, progress)
            progress.finishing('Loading the predictions')
            return load(run, before)
        } finally {
            progress?.close()
            cells?.delete()
        }
    }

    private String what() {
        int n = chosen == null ? 0 : chosen.ids.size()
        return n == 0 ? "Predicting all cells of ${image.entry.imageName}" : "Predicting ${n} selected object${n == 1 ? '' : 's'} of ${image.entry.imageName}"
    }

    private static File listOf(List<String> ids) {
        def file = File.createTempFile('pycyto', '.txt')
        file.setText(ids.join('\n'), 'UTF-8')
        return file
    }

    /** Loads the run into the image as it is by now: it may have been edited, saved or closed meanwhile. */
    private Map<String, Object> load(PycytoRun run, String before) {
        def now = image.asItIsNow()
        try {
            job.project.checkOpen()
            now.saveChanges(before)
            job.project.addClasses(run.colours)
            // The image is the one that was sent off: what was edited since is looked at cell by cell.
            def counts = PycytoWriting.write(run, now, true)
            now.refreshViewers()
            return run.predicted.collectEntries { label, n -> [("predicted ${label}".toString()): n] } + counts
        } catch (PycytoRefusal refusal) {
            Pycyto.refuse("${refusal.message}\nThe predictions wait as run ${run.name}: import_predictions loads it.".toString(), refusal.kind)
        } finally {
            now.close()
        }
    }
}
