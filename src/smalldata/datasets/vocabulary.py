"""Words that tell what a column or a class is likely to be.

Step in the line: **files** -> Dataset. Guesses made with them are printed or are advice.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _ordered(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Markers of a missing value, lower case; the empty cell is one.
MISSING_TEXT = _words("""
    na n/a nan null ? . - -- #n/a #na #null! #div/0! #value! #num! #ref! #name? #spill! #calc!
    <na> n.a. n.a na. \\n – — … ... #nv #n/d #nd #wert! #bezug! #zahl! #valeur! #nom?
    #nombre! err:502
""") | {""}
# Among numbers these are missing too; as text they are often categories, or a sign of a score.
MISSING_NUMBER = (
    MISSING_TEXT
    | _words("""
        none nil missing nat .. --- -nan * / \\ _ k.a. k.a (null) ?? fehlt fehlend n.best.
        -1.#ind 1.#qnan nan(ind) -nan(ind)
    """)
    | {
        *("not available", "not measured", "not done", "not tested", "not assessed", "no data"),
        *("missing value", "no value", "not recorded", "not reported", "nicht bestimmt", "n. a."),
        *("no result", "no sample", "k. a.", "keine angabe", "nicht gemessen", "non disponible"),
        *("non mesuré", "no disponible", "non disponibile"),
    }
)
# Of these nothing is said: everybody knows them.
MISSING_SILENT = _words("na nan <na>") | {""}

# Names of a limit of detection or quantification behind < or >, letters only, lower case.
LIMIT_NAMES = _words("""
    lod loq llod lloq lld dl mdl ql rl mrl lq ld nd limit detectionlimit limitofdetection
    limitofquantification detection range min max uloq ulod pql crql rdl lor eql idl
    nwg ng bg nachweisgrenze bestimmungsgrenze
""")
# What is said of a value below it; written in any case, with blanks, dots and accents.
BELOW_WORDS = LIMIT_NAMES - _words(
    "limit detection range min max uloq ulod ld lq bg ng rl lor nwg"
) | _words("""
    bdl bld bql blq bloq blod bmdl blloq brl nd nq nn dnd notdetected notdetectable nondetect
    nondetects nondetected nondetectable undetected undetectable notquantified notquantifiable
    belowlod belowloq belowllod belowlloq belowdl belowmdl belowql belowlimit belowdetection
    belowdetectionlimit belowlimitofdetection belowlimitofquantification belowquantification
    belowquantificationlimit belowthreshold belowrange below lessthan underrange lessthanlod
    lessthanloq trace traces tr
    nichtnachweisbar nichtnachgewiesen unternachweisgrenze unternwg unterbestimmungsgrenze unter
    unterhalb unterhalbnachweisgrenze unterhalbnwg unterhalbbestimmungsgrenze kleiner spuren notdet
    udl
    nondetecte nondetectee indetectable indetecte noquantifie nonquantifiable
    nodetectado nodetectable nonrilevato nonrilevabile
""")
ABOVE_WORDS = _words("""
    aloq auloq aql abovelod aboveloq aboveuloq aboveulod abovelimit aboverange abovethreshold above
    overrange overflow ovrflw greaterthan morethan uloq ulod ueber uber
""")

# Names of an id column, letters and digits only: what a row is, with or without a word of ids,
_IDENTIFIED = _ordered("""
    sample samples subject patient participant donor person case mouse rat animal specimen
    echantillon sujet personne muestra paciente sujeto campione paziente soggetto amostra
    proband patienten probanden monster proefpersoon maus ratte tier
""")
# those that only such a word makes an id (Probe is a sample in German, else a probe),
_NUMBERED = _ordered("record tube vial individual proben probe fall pat")
_ID_SUFFIXES = _ordered("id ids no nr num number nummer numero code name names")
_NAMES_OF_PROBES = _words("probeid probeids probename probenames probecode")
# and others.
ID_NAMES = (
    _words("""
        id ids barcode record accession geoaccession cellline rowname rownames unnamed0 identifier
        uid iid eid index mrn nr lfdnr
    """)
    | {*_IDENTIFIED}
    | {noun + suffix for noun in (*_IDENTIFIED, *_NUMBERED) for suffix in _ID_SUFFIXES}
) - _NAMES_OF_PROBES

# Columns of a table with one row per measurement, letters and digits only: what was measured,
LONG_NAMES = _words("""
    assay protein proteins proteinname proteingroup gene genes genename genesymbol symbol
    genesymbols hgncsymbol metabolite metabolites metabolitename compound compounds compoundname
    analyte analytes analytename feature features featurename variable variables variablename marker
    markers biomarker parameter test testname lipid lipidname taxon taxa species genus otu asv
    peptide peptidesequence target targetname probe cytokine name measure measurement measurename
    item property key component mirna transcript ion peak mz precursorid element antigen antibody
    loinc substance chemical locus cpg snp exposure
""")
# its code,
LONG_CODES = _words("""
    olinkid uniprot uniprotid probeid featureid otuid ensemblid ensembl transcriptid peakid analytid
    analyteid geneid entrezid compoundid metaboliteid hmdb hmdbid kegg cas accession seqid aptamer
""")
# the columns of values, the likelier the earlier (of an Olink file, NPX and not LOD),
LONG_VALUES = _ordered("""
    npx value values abundance relativeabundance normalizedabundance intensity logintensity
    log2intensity lfqintensity expression concentration conc level amount quantity result
    measurement measuredvalue measure reading count counts tpm fpkm rpkm cpm signal area
    peakarea height ratio beta betavalue rfu mfi od deltact dct ct cq score response
    quantifiedconc
""")
# and columns of numbers beside them that are none.
LONG_NO_VALUES = _words("""
    lod loq lloq llod uloq uod lod2 platelod maxlod limit missingfreq pvalue padj qvalue fdr se sd
    sem cv stdev error lower upper ci rt retentiontime row index rownumber rownum dilution
    dilutionfactor injectionorder order n plate well year month day qcdeviation
""")

# Words in names of first columns that repeat but hold no ids.
NO_ID_WORDS = _words("""
    batch plate run lane day week month year date visit time timepoint point site center centre
    stage grade dose genotype strain tissue organ type class group arm treatment condition cohort
    country region city state sex gender race ethnicity diagnosis disease status species genus cell
    cluster diet drug compound age label target outcome phenotype hospital ward operator season
    category
""")

# Words in names of columns.
PERSON_WORDS = _words("""
    patient patientid subject subjectid person personid participant participantid individual
    individualid donor donorid mouse mouseid animal animalid family familyid litter
    proband household
""")
# Names of columns that tell how a sample was handled, letters and digits only,
HANDLING_NAMES = _words("""
    batch batchid batchno batchnr batchnumber batches plate plateid plateno platenr platenumber well
    wellid run runid runno runnr runnumber runorder runindex injectionorder injectionnumber
    acquisitionorder measurementorder sequencingrun flowcell lane chip chipid slide slideid
    technician operator analyst freezerbox freezer box boxno boxnr boxposition rack rackposition lot
    lotnumber lotno kitlot platte plattennr messreihenfolge reihenfolge laborant laborantin charge
    plaque technicien
""")
# and of columns of remarks.
COMMENT_NAMES = _words("""
    comment comments remark remarks note notes annotation bemerkung bemerkungen kommentar kommentare
    anmerkung anmerkungen notiz notizen commentaire commentaires remarque remarques comentario
    comentarios observaciones osservazioni opmerking opmerkingen
""")
DATE_WORDS = _words("date dates datum fecha data")
TIME_WORDS = _words("time times days months survival followup os pfs dfs rfs efs ttp tdm")
EVENT_WORDS = _words("""
    event events status censor censored censoring vital dead death died deceased relapse recurrence
    metastasis progression
""")

# Words of classes, lower case. A condition, an event or an exposure that is present:
POSITIVE_CLASSES = _words("""
    + yes y true t positive pos case cases tumor tumour tumoral cancer cancerous carcinoma malignant
    malignancy neoplasm disease diseased patient patients affected impaired impairment sick ill
    illness event dead deceased died death demised nonsurvivor relapse relapsed relapsing recurrence
    recurred recurrent recidive metastasis metastases metastatic metastasized progression progressed
    progressive progressor responder responders response responded respond responsive treated
    treatment exposed exposure mutant mut mutated mutation resistant resistance infected infection
    abnormal present presence detected detectable active symptomatic severe high elevated smoker
    smokers smoking diabetic diabetes pregnant septic sepsis obese complication complications
    failure failed carrier carriers vaccinated stimulated induced knockout ko amplified methylated
    msi msih dmmr drug intervention frail demented dementia depressed toxicity rejection preterm
    ja oui si sim da tak evet はい 是 有 да
    malade krank enfermo malato ziek tumeur positif positivo positiv 阳性
    tot verstorben gestorben mort decede decedee muerto fallecido morto deceduto overleden
""")
# Its absence: what the condition is told from.
NEGATIVE_CLASSES = _words("""
    - no n false f negative neg none control controls ctrl ctrls ctl ctr cntrl healthy hc health
    normal euploid diploid
    normals benign alive living survivor survivors survived unaffected absent absence censored
    wildtype wt placebo sensitive reference ref baseline naive sham vehicle mock never low stable
    inactive asymptomatic discharged disease-free term mss pmmr nc hv td ngt volunteer volunteers
    nein non nao nej nee nie hayir いいえ 否 无 没有 нет
    gesund sain sano gezond negatif negativo negativ 阴性 kontrolle temoin controllo 对照
    lebend lebendig vivant vivante vivo levend
""")
# Beginnings of a label that deny what follows; of these the glued ones need a word they deny.
NEGATIONS = _words("""
    no not non without never absence lack free un w/o negative neg nil
    kein keine ohne nicht pas sans sin senza geen niet sem
""")
GLUED_NEGATIONS = ("non", "un", "not", "no")
# Ends of a label that deny what precedes.
NEGATED_ENDS = _words("free negative neg absent naive wt wildtype -")
AFFIRMED_ENDS = _words("positive pos present +")
# Glued ends of the same kind (seronegative), and a beginning: normotensive, normoglycemic.
GLUED_NEGATIVE = ("negative", "negativ", "negatif", "negativo", "neg")
GLUED_POSITIVE = ("positive", "positiv", "positif", "positivo", "pos")
NORMAL_BEGINNING = "normo"
# Short labels that only mean something beside each other: (absence, presence).
CODED_PAIRS = (
    *(("n", "y"), ("f", "t"), ("n", "t"), ("n", "p"), ("nr", "r"), ("rd", "pcr"), ("n", "c")),
    *(("s", "r"), ("hc", "ad"), ("cn", "ad"), ("pd", "cr"), ("sd", "cr"), ("alive", "dod")),
    *(("pre", "post"), ("before", "after")),
)

# Rows of quality control, letters only; the weak ones are also words of honest classes.
QC_WORDS = _words("""
    qc qcs pqc sqc eqc iqc ltqc ltr lqc hqc mqc qcpool poolqc pooledqc qcsample qualitycontrol
    blank blanks blk blanc blind procblank processblank processingblank extractionblank
    extractblank methodblank solventblank solvent pool pools pooled poolsample calibrant calibrants
    calibrator calibrators calibration calib cal nist srm sst ntc bridge bridging washblank
    emptywell buffer systemsuitability kwaliteitscontrole
    qualitatskontrolle kontrollprobe mischprobe leerwert leerprobe kalibrator losungsmittel
    controlequalite
""")
WEAK_QC_WORDS = _words("""
    standard standards std stds istd reference ref wash water empty mix mock conditioning
    equilibration methanol meoh acetonitrile acn isopropanol ipa hela
    positivecontrol poscontrol negativecontrol negcontrol
    blanco bianco etalon patron referenz wasser eau agua
""")
# Words that are one class where nothing else is among the labels, in pairs of sides.
SAME_CLASSES = tuple(
    (_words(one), _words(other))
    for one, other in (
        ("true yes t y 1", "false no f n 0"),
        ("ja j 1", "nein nej nee n 0"),
        ("oui o 1", "non n 0"),
        ("positive pos + 1", "negative neg - 0"),
        ("male m", "female f"),
        ("dead deceased died", "alive living"),
        ("responder responders r", "nonresponder nonresponders nr"),
    )
)

# Labels that are one whatever the others are.
SHORT_FORMS = {
    **dict.fromkeys(("controls", "ctrl", "ctrls", "ctl", "ctr", "cntrl"), "control"),
    **{"cases": "case", "pos": "positive", "neg": "negative", "tumour": "tumor"},
    **{"wt": "wildtype", "mut": "mutant", "mutated": "mutant"},
}

# Names of columns of numbers that annotate a feature, and the words of such names.
ANNOTATION_WORDS = _words("""
    chr chrom chromosome start end stop strand length width position pos mz rt rtmin ri mass charge
    score pvalue qvalue padj fdr logfc entrez entrezid entrezgene entrezgeneid geneid gc genelength
    average avg retention time min m z exact neutral adduct number alignment feature peak compound
    molecular weight mw kda sequence coverage peptides peptide unique razor spectra row idx index
""")

# Names of rows that describe samples, letters and digits only.
METADATA_NAMES = _words("""
    age ageyears ageatdiagnosis sex gender bmi country city site center centre batch plate disease
    diseases diagnosis condition group groups class label labels status studycondition cohort study
    dataset project race ethnicity weight height smoking smoker treatment therapy arm visit
    timepoint time day date stage grade subject subjectid patient patientid individual donor family
    familyid bodysite bodysubsite tissue sampletype filetype type injectionorder runorder
    collectiondate antibiotics nonwesternized westernized agecategory phenotype outcome response
    region location sequencingplatform platform instrument sampleid barcode organism
    alter geschlecht land gruppe diagnose klasse zentrum gewicht raucher behandlung messtag
    reihenfolge sexe pays groupe poids centre statut edad sexo pais grupo peso leeftijd geslacht
    tabagisme eta sesso rin purity tumorpurity
""")

# Beginnings of words in names of files and blocks: tables of samples, and of data.
SHEET_NAME = re.compile(
    r"clin|meta(?!b|g|tr|pr)|pheno|sample|sheet|annot|design|coldata|patient|subject|covar"
    r"|demogr|outcome|label|target|info"
)
DATA_NAME = re.compile(
    r"(?:m|mi|lnc|sc)?rna|genes?$|genom|transcript|expr|prote|protg|metabol|lipid|methyl|cnv|cna"
    r"|mutation|snp|snv|otu|asv|taxa|microb|species|genus|peptid|phospho|olink|npx|omic|counts?$"
    r"|intens|abund|peaks?$|features?$|spectr|cytok|chrom|atac|array|nmr|lcms|gcms|glyc"
)
# Words that make another form of a target of its name: outcome_code, Diagnosis_binary.
TARGET_AFFIXES = _words("""
    code coded codes binary bin num numeric number int integer cat category categorical factor label
    labels encoded enc dummy bool flag class cls group grp raw orig original copy dup target outcome
    response str text name value level
""")

# Words in names of columns that are often the target.
OUTCOME_NAMES = _words("""
    class outcome target diagnosis status label group response phenotype condition disease y event
    survival case subtype grade stage
""")

# Names of rows that sum up the samples, letters and digits only, and what they hold:
SUMMARY_NAMES = {
    **dict.fromkeys(
        _words("""
            mean means average avg arithmeticmean meanvalue averagevalue mittelwert mw mittel
            durchschnitt moyenne promedio gemiddelde meansd meansem avgsd
        """),
        "mean",
    ),
    **dict.fromkeys(_words("median mediane mediana medianwert medianvalue medianiqr"), "median"),
    **dict.fromkeys(
        _words("""
            total totals sum grandtotal subtotal summe gesamt gesamtsumme insgesamt zwischensumme
            somme totale totaal som
        """),
        "sum",
    ),
    **dict.fromkeys(
        _words("""
            sd std stdev stddev stddeviation standarddeviation stabw standardabweichung ecarttype
            desviacionestandar deviazionestandard
        """),
        "sd",
    ),
    **dict.fromkeys(
        _words("sem stderr standarderror standarderrorofthemean standardfehler erreurtype"), "sem"
    ),
    **dict.fromkeys(
        _words("cv cvpercent percentcv rsd variationskoeffizient coefficientofvariation"), "cv"
    ),
    **dict.fromkeys(_words("pvalue pval pwert pvalues valeurp ttest adjpvalue padj fdr"), "p"),
}
# of these, samples and persons have some, too.
WEAK_SUMMARY_NAMES = {
    **dict.fromkeys(_words("min minimum minimal minimumvalue"), "min"),
    **dict.fromkeys(_words("max maximum maximal maximumvalue"), "max"),
    **dict.fromkeys(_words("n count counts number anzahl nombre numero aantal nvalid"), "count"),
    **dict.fromkeys(_words("se"), "sem"),
    **dict.fromkeys(_words("overall all alle media"), "mean"),
    "p": "p",
}
