/*
 * Takes predictions back out of an image: what a run created and classified, and nothing else.
 * What somebody has relabelled, moved, named or locked since is left, and counted.
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj undo_predictions.groovy
 * On the open image it takes back the newest run that is in it; for a project the newest of the
 * project, in all images. import_predictions.groovy with the run's name loads it again.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    run: '',  // folder name of the run below pycyto/runs; empty: the newest that is loaded
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def runs = load('PycytoRun')
def undo = load('PycytoUndo')
def decisions = load('PycytoDecisions')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'undo_predictions', settings) { job, image ->
    job.refuseSaveAfterwards()
    if (decisions.folderOf(job.project).directory) {
        job.lock(decisions.folderOf(job.project))  // a review under way would go on showing what is no longer there
    }
    def name = job.once('run') { job.config.run ?: runs.newestIn(job.project, job.imageIds).name }
    def run = runs.chosen(job.project, name)
    if (!run.has(image.id)) {
        return [skipped: ['image not in the run': 1]]
    }
    if (run.get(image.id, 'state') == 'undone' && !run.get(image.id, 'pending_sha256')) {
        return [skipped: ['taken back already': 1]]
    }
    image.saveChanges()
    def counts = undo.undo(run, image)
    image.refreshViewers()
    counts
}
