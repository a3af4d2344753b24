/*
 * Lets a model classify the selected cells of the open image, or all if none is selected, and
 * shows what it says: coloured detections beside the expert's objects.
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj predict_cells.groovy
 * It saves unsaved changes, starts "pycyto predict" in the background, and loads the run that this
 * makes as import_predictions.groovy does. Until then it can be cancelled, and nothing is left.
 * undo_predictions.groovy takes the result back.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    model: '',               // folder of the model; empty: the one used last; 'ask': choose another
    objects: 'annotations',  // what is a cell where none is selected: annotations, detections or all
    any_resolution: false,   // true: go on although cells are larger or smaller than in training
    python: '',              // Python that has pycyto; empty: the one that installed these scripts
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def choice = load('PycytoChoice')
def predicting = load('PycytoPredicting')

// --- action ---------------------------------------------------------------------------------
pycyto.offWindow {
    pycyto.run(this, 'predict_cells', settings) { job, image ->
        job.refuseSaveAfterwards()
        def chosen = choice.of(image)  // before anything takes time: the selection may change
        image.saveChanges()
        predicting.predict(job, image, chosen)
    }
}
