/*
 * Reviews the cells of a prediction run: a panel beside the viewer that shows one cell after the
 * other, the riskiest first, and records what you decide with one key each (docs/review.md).
 *
 * In the window: Run. Without one, it completes a review that was interrupted, image by image, and
 * counts what is decided and what is left:
 *   QuPath script -p project.qpproj review.groovy
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    run: '',           // folder name of the run below pycyto/runs; empty: the newest
    reviewer: '',      // your name; empty: asked for once, and kept in QuPath's preferences
    hsil_above: 0.2,   // a cell called NILM whose P(HSIL) is this or more may be an undercall: it comes first
    save_after: 50,    // decisions after which the image is saved; it is too when you leave it
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def runs = load('PycytoRun')
def decisions = load('PycytoDecisions')
def reviews = load('PycytoReview')
def deciders = load('PycytoDecider')

// --- action ---------------------------------------------------------------------------------
pycyto.open(this, 'review', settings, { job -> load('PycytoReviewPanel').open(job) }) { job, image ->
    job.refuseSaveAfterwards()
    job.lock(decisions.folderOf(job.project))
    def run = runs.chosen(job.project, job.config.run)
    def review = reviews.newInstance(run, decisions.newInstance(job.project, null), job.config.hsil_above as double)
    if (!(image.id in review.images)) {
        return [skipped: ['image without cells to review': 1]]
    }
    image.checkComplete()
    def decider = deciders.newInstance(review, image)
    decider.save()
    image.refreshViewers()
    decider.counts()
}
