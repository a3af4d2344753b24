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
if (!binding.hasVariable('qupath.script.file')) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def lib = new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib')
def loader = new GroovyClassLoader(getClass().classLoader)
def pycyto = loader.parseClass(new File(lib, 'pycyto.gvy'))
def runs = loader.parseClass(new File(lib, 'run.gvy'))

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'import_predictions', settings) { image ->
    image.refuseSaveAfterwards()
    def run = runs.chosen(image.job)  // checks that it was made for this project
    switch (run.stateOf(image)) {
        case null:
            return [skipped: ['image not in the run': 1]]
        case 'undone':
            pycyto.refuse("The run ${run.name} was taken back from this image. Predict again.")
        case 'written':
            return ['already written': run.countOnDisk(image)]
    }
    image.saveChanges()
    run.checkUnchanged(image)   // ... since it was predicted, unless stale_ok
    run.keepSnapshot(image)     // what pycyto undo goes back to
    run.addClasses(image)       // of the project; those that are there stay as they are
    run.write(image)            // one addition to the hierarchy, one save
    pycyto.writeCells(image)    // data.qpdata is new, so the file of cells must be too
    image.refreshViewers()
    run.close(image)            // reads the file again, counts, and notes it in run.json
}
