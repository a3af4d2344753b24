/*
 * Shows the cells of an assignment for blinded reading: one by one, without predictions, class
 * colours, names, or what others said. It keeps the answers in <project>/pycyto/reads. When all readers
 * are done, the cells on which they differ come up again, for a consensus and for a third reader.
 *
 * Run it with a project open; no image has to be. Nothing but the answers is written: no object,
 * no image and no class of the project is touched. Without a window it says how far everybody is:
 *   QuPath script -p project.qpproj read_cells.groovy
 * "pycyto assign" makes an assignment; docs/reading.md says the rest.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    assignment: '',   // name of a file in pycyto/reads, without .json; empty: the newest
    reader: '',       // who reads; empty: QuPath asks
    mode: '',         // 'reading', 'consensus' or 'adjudication'; empty: what is due
    feedback: false,  // true: a proficiency assignment tells the consensus after each cell, not only the score at the end
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def assignments = load('PycytoAssignment')
def tasks = load('PycytoReadingTask')
def choices = load('PycytoReadingChoice')
def windows = load('PycytoReadingWindow')

// --- action ---------------------------------------------------------------------------------
pycyto.runOnProject(this, 'read_cells', settings) { job ->
    def assignment = assignments.chosen(job.project, job.config.assignment)
    if (job.project.gui == null) {
        return tasks.counts(assignment)
    }
    job.refuseBatch()
    def task = choices.ask(job.project, assignment, job.config)
    if (task == null) {
        return [read: 0]  // cancelled
    }
    job.lock(task.folder)
    pycyto.inWindow { windows.read(task) }
    task.progress()
}
