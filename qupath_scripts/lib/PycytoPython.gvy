/*
 * Which Python has pycyto: the one in a script's setting, else the one that was chosen once, else
 * the one that has installed the scripts; else the user is asked.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.util.concurrent.TimeUnit
import javafx.beans.property.StringProperty
import qupath.fx.dialogs.Dialogs
import qupath.fx.dialogs.FileChoosers
import qupath.lib.gui.prefs.PathPrefs

class PycytoPython {
    // Without what lies in the folder that QuPath happens to be started from.
    static final List<String> PYCYTO = ['-P', '-m', 'pycyto'].asImmutable()

    private static final int SECONDS_TO_START = 120  // the first start after an installation is slow
    private static final String HELP = 'Choose the program python (on Windows python.exe) of the environment that pycyto is installed in. ' +
        '"pycyto scripts install", started in that environment, makes it known for good.'

    /** Path of the Python to use. */
    static String find(PycytoProject project, String setting) {
        if (setting) {
            def reason = reasonAgainst(setting)
            return reason == null ? setting : Pycyto.refuse("In the setting \"python\" of this script: ${reason}".toString(), 'bad input')
        }
        List<String> reasons = []
        for (String python in [remembered.get(), installer()].findAll().unique()) {
            def reason = reasonAgainst(python)
            if (reason == null) {
                return python
            }
            reasons << reason
        }
        return ask(project, reasons.join('\n') ?: 'It is not known which Python has pycyto.')
    }

    /** Why a Python will not do, as a sentence; null if it will. */
    static String reasonAgainst(String python) {
        if (!new File(python).isFile()) {
            return "There is no program ${python}."
        }
        String said
        try {
            said = answer([python, *PYCYTO, '--version'])
        } catch (IOException e) {
            return "${python} cannot be started (${e.message})."
        }
        return said == "pycyto ${Pycyto.VERSION}" ? null
            : said.startsWith('pycyto ') ? otherVersion(python, said)
            : said.contains('nknown option') ? "${python} is too old: pycyto needs Python 3.11 to 3.13."
            : said.contains('No module named') ? "pycyto is not installed in ${python}."
            : "pycyto does not start in ${python}: ${said ?: 'it gave no answer'}"
    }

    private static String otherVersion(String python, String version) {
        return "${python} has ${version}, and these scripts belong to ${Pycyto.VERSION}. " +
            "Start this in a terminal, then the script again: \"${python}\" -m pycyto scripts install"
    }

    /** The last line that a program prints. */
    private static String answer(List<String> words) {
        def file = File.createTempFile('pycyto', '.txt')
        try {
            def process = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(file).start()
            process.outputStream.close()
            if (!process.waitFor(SECONDS_TO_START, TimeUnit.SECONDS)) {
                process.destroyForcibly()
            }
            return file.readLines('UTF-8').findAll { it.trim() }.with { it ? it.last().trim() : '' }
        } finally {
            file.delete()
        }
    }

    private static String ask(PycytoProject project, String why) {
        if (project.gui == null) {
            Pycyto.refuse("${why} ${HELP} Or name it in the setting \"python\".", 'bad input')
        }
        while (why != null) {
            String text = "${why}\n\n${HELP}"
            def file = Pycyto.inWindow { Dialogs.showConfirmDialog('pycyto: which Python?', text) ? FileChoosers.promptForFile('Python that has pycyto') : null }
            if (file == null) {
                Pycyto.refuse('No Python was chosen. Nothing was done.', 'cancelled')
            }
            why = reasonAgainst(file.path)
            if (why == null) {
                remembered.set(file.path)
            }
        }
        return remembered.get()
    }

    private static StringProperty getRemembered() {
        return PathPrefs.createPersistentPreference('pycyto.python', '')
    }

    /** The Python that "pycyto scripts install" ran in, or null. */
    private static String installer() {
        def note = PycytoPython.classLoader.getResource('installed.json')
        return note == null ? null : PycytoFiles.readJson(new File(note.toURI())).get('python')?.asString
    }
}
