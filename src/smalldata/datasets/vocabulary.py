"""Words that tell what a column or a class is likely to be.

Step in the line: **files** -> Dataset. Guesses made with them are printed or are advice.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Markers of a missing value, lower case; the empty cell is one.
MISSING_TEXT = _words(
    "na n/a nan null ? . - -- #n/a #na #null! #div/0! #value! #num! #ref! #name?"
) | {""}
# Among numbers None is missing too; as text it is often a category.
MISSING_NUMBER = MISSING_TEXT | {"none"}

# Names of an id column, letters and digits only.
ID_NAMES = _words("""
    id ids sample samples sampleid sampleids samplename samplenames subject subjectid patient
    patientid participant participantid donor donorid person personid case caseid mouse mouseid
    animal animalid barcode specimen specimenid record recordid accession geoaccession cellline
    rowname rownames unnamed0 identifier uid iid eid index
""")

# Words in names of columns.
PERSON_WORDS = _words("""
    patient patientid subject subjectid person personid participant participantid individual
    individualid donor donorid mouse mouseid animal animalid family familyid
""")
TIME_WORDS = _words("time times days months survival followup os pfs dfs rfs efs ttp tdm")
EVENT_WORDS = _words("""
    event events status censor censored censoring vital dead death died deceased relapse recurrence
    metastasis progression
""")

# Names of classes.
POSITIVE_CLASSES = _words("""
    + yes y true t positive pos case cases tumor tumour cancer malignant disease diseased patient
    patients affected impaired impairment sick ill event dead deceased died death relapse relapsed
    recurrence metastasis progression progressed responder response treated treatment exposed mutant
    mut mutated resistant infected abnormal
""")
NEGATIVE_CLASSES = _words("""
    - no n false f negative neg control controls ctrl ctl healthy normal benign alive living
    unaffected none absent censored wildtype wild-type wt non-responder nonresponder untreated
    unexposed placebo sensitive uninfected reference ref
""")
