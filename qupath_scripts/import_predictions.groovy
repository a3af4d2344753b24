/*
 * Loads a prediction run that "pycyto predict" has staged in <project>/pycyto/runs:
 * new detections beside the expert's objects, and classes for detections without one.
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj import_predictions.groovy
 * It keeps a copy of the image's data in the run's folder first ("pycyto undo" takes the
 * run back), saves, reads the file again and counts. Running it twice changes nothing.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    run: '',          // folder name of the run below pycyto/runs; empty: the newest
    stale_ok: false,  // true: load it although the image was saved after it was predicted
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def runs = load('PycytoRun')
def writing = load('PycytoWriting')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'import_predictions', settings) { job, image ->
    job.refuseSaveAfterwards()
    def run = runs.chosen(job.project, job.config.run)  // checks that it was made for this project
    if (!run.has(image.id)) {
        return [skipped: ['image not in the run': 1]]
    }
    if (run.get(image.id, 'state') == 'written') {
        return ['already written': run.get(image.id, 'read_back') as int]
    }
    image.saveChanges()
    job.project.addClasses(run.colours)  // those that are there stay as they are
    def counts = writing.write(run, image, job.config.stale_ok)
    image.refreshViewers()
    counts
}
