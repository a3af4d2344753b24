/*
 * Adds the classes of the Bethesda System, with their colours, to the project's list of classes.
 *
 * Run it with the project open; no image is needed. Headless:
 *   QuPath script -p project.qpproj set_up_classes.groovy
 * Classes that are there already keep their colour and their place, other classes too. The list
 * as it was is kept in <project>/pycyto/snapshots/classes. No object is changed.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    scheme: 'bethesda',  // which classes
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def selection = load('PycytoSelection')

// --- action ---------------------------------------------------------------------------------
pycyto.runOnProject(this, 'set_up_classes', settings) { job ->
    job.lock(job.project.workspace)
    def missing = selection.missingClasses(job.config.scheme, job.project.classNames)
    def added = job.project.addClasses(missing)
    [added: added.size(), 'already there': selection.coloursOf(job.config.scheme).size() - added.size()]
}
