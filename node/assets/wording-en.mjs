// Generated from the page's source; rewrite it with: UPDATE=1 cargo test -p hallmark-tests generated.
export const wording = {
  "footprint": {
    "cradle_to_gate": "from the raw material to the factory gate",
    "cradle_to_grave": "from the raw material to the end of life",
    "cubic meter": "cubic metre",
    "gate_to_gate": "the stage within the factory alone",
    "hour": "hour",
    "kilogram": "kilogram",
    "kilowatt hour": "kilowatt hour",
    "limited": "limited assurance",
    "liter": "litre",
    "megabit second": "megabit a second",
    "megajoule": "megajoule",
    "piece": "piece",
    "reasonable": "reasonable assurance",
    "square meter": "square metre",
    "ton kilometer": "tonne-kilometre"
  },
  "free": [
    " is shown as a possible copy.",
    " is told here.",
    " names ",
    " names itself",
    " states:",
    " tests every signature in it, without network.",
    ", ",
    ", in ",
    ".",
    ". ",
    ". More than ",
    ": ",
    "?",
    "A code confirmed more than ",
    "A part of the code could not be read and is not shown.",
    "Back to the record",
    "Buyers confirmed it ",
    "Cannot check here: a part of the script could not be loaded. Download the bundle and use hallmark-verify.",
    "Capital and small letters are different codes. ",
    "Carbon footprint",
    "Certificates",
    "Check in this browser",
    "Check it yourself",
    "Checking …",
    "Codes issued by: ",
    "Did you buy it where such goods are sold?",
    "Did you buy this?",
    "Did you mean ",
    "Different makers are named. Any member can describe any product number, and nothing in this network tells whose it is:",
    "Download the bundle",
    "I bought it new",
    "I confirm",
    "I opened the seal",
    "I think it is a copy",
    "If you like, in your words. Do not name persons or give your own name, number or address: the report goes into a record that is kept.",
    "Is the seal whole, and does the print beside the code say the same as here?",
    "Is the unit closed, and does the print beside the code say the same as here?",
    "It says that goods with this code were bought, and on which day.",
    "It seems dangerous",
    "Its record: ",
    "Journey",
    "Language",
    "Last checkpoint: ",
    "Look it up",
    "More are not listed here.",
    "No answer yet.",
    "No description of it is published.",
    "No record of this code is public, so there is nothing that you can check: what this page says is the word of this node. Those who may read the records can check them with hallmark-verify.",
    "No step is shown to the public.",
    "None is recorded.",
    "None is stated.",
    "Not all records of this code were read here.",
    "Not what the record says",
    "Number: ",
    "Of the label with this code it is recorded that it was made, no more.",
    "Only others have recorded events of this code, not the organisation that made the label.",
    "Open questions",
    "Other labels of this kind are recorded as put on goods; this one is not.",
    "Past its date",
    "Pictures named: ",
    "Recorded of the product: ",
    "Records can be checked, the thing in the hand cannot. Looking at this page is not counted; there is no cookie and no account.",
    "Records: ",
    "Report a problem",
    "Seal or package open or damaged",
    "Send the report",
    "Shown by the node of ",
    "Something else",
    "Something is wrong?",
    "The address under the code, or the numbers with their brackets, such as (01)09506000134352(21)12345",
    "The bundle holds the public records with the proofs of their logs. ",
    "The code",
    "The code also says (printed, not signed)",
    "The members of the network can read it. Keep the number: it names your report.",
    "The question at the top of this page is open. Beside it the rules found nothing about this code.",
    "The record is wrong",
    "The rules found nothing about this code.",
    "The script behind the button comes from this node, as the page does. Only a program that does not is a witness against it.",
    "Their word; the check of this node has no such finding.",
    "This code at their node",
    "This node has not checked its records by rules yet.",
    "This node holds no pictures. Where one was published and its SHA-256:",
    "Type the code",
    "What did you do?",
    "What is it about?",
    "What it is",
    "What you can check with your eyes",
    "Where (optional)",
    "Whether this code was issued, only the node of its issuer can tell. ",
    "Whoever issued this code scrapped it: it should be on no goods.",
    "Your confirmation helps to notice copied codes. The public record holds the day and what you choose below; the log notes when it was entered. Nothing about you, your address or your device is kept. ",
    "Your confirmation is recorded",
    "Your report is recorded",
    "a kind of product",
    "a lot",
    "a place or party",
    "a shipping unit",
    "about ",
    "inside ",
    "label orders that this code is not of",
    "one item",
    "recorded by ",
    "says ",
    "signed by ",
    "the answer is not public"
  ],
  "identifiers": {
    "00": "SSCC",
    "01": "GTIN",
    "02": "CONTENT",
    "10": "BATCH/LOT",
    "11": "PROD DATE",
    "12": "DUE DATE",
    "13": "PACK DATE",
    "15": "BEST BEFORE or BEST BY",
    "16": "SELL BY",
    "17": "USE BY or EXPIRY",
    "20": "VARIANT",
    "21": "SERIAL",
    "22": "CPV",
    "235": "TPX",
    "240": "ADDITIONAL ID",
    "241": "CUST. PART No.",
    "243": "PCN",
    "250": "SECONDARY SERIAL",
    "251": "REF. TO SOURCE",
    "30": "VAR. COUNT",
    "37": "COUNT",
    "400": "ORDER NUMBER",
    "410": "SHIP TO LOC",
    "414": "LOC No.",
    "422": "ORIGIN",
    "423": "COUNTRY - INITIAL PROCESS",
    "424": "COUNTRY - PROCESS",
    "426": "COUNTRY - FULL PROCESS",
    "7003": "EXPIRY TIME",
    "8020": "REF No."
  },
  "kinds": {
    "accreditation": "accreditation",
    "certificate": "certificate",
    "complaint": "report",
    "confirmation": "confirmation",
    "event": "event",
    "facility": "place",
    "finding": "finding of others",
    "footprint": "carbon footprint",
    "label": "label order",
    "masterdata": "description",
    "organisation": "member of the network",
    "recall": "recall",
    "response": "answer"
  },
  "prints": {
    "00": "SSCC",
    "01": "GTIN",
    "02": "CONTENT",
    "10": "lot",
    "11": "made on",
    "12": "DUE DATE",
    "13": "PACK DATE",
    "15": "best before",
    "16": "SELL BY",
    "17": "use until",
    "20": "VARIANT",
    "21": "SERIAL",
    "22": "CPV",
    "235": "TPX",
    "240": "ADDITIONAL ID",
    "241": "CUST. PART No.",
    "243": "PCN",
    "250": "SECONDARY SERIAL",
    "251": "REF. TO SOURCE",
    "30": "VAR. COUNT",
    "37": "COUNT",
    "400": "ORDER NUMBER",
    "410": "SHIP TO LOC",
    "414": "LOC No.",
    "422": "ORIGIN",
    "423": "COUNTRY - INITIAL PROCESS",
    "424": "COUNTRY - PROCESS",
    "426": "COUNTRY - FULL PROCESS",
    "7003": "use until",
    "8020": "REF No."
  },
  "regions": {
    "CN-AH": "Anhui",
    "CN-BJ": "Beijing",
    "CN-CQ": "Chongqing",
    "CN-FJ": "Fujian",
    "CN-GD": "Guangdong",
    "CN-GS": "Gansu",
    "CN-GX": "Guangxi",
    "CN-GZ": "Guizhou",
    "CN-HA": "Henan",
    "CN-HB": "Hubei",
    "CN-HE": "Hebei",
    "CN-HI": "Hainan",
    "CN-HK": "Hong Kong",
    "CN-HL": "Heilongjiang",
    "CN-HN": "Hunan",
    "CN-JL": "Jilin",
    "CN-JS": "Jiangsu",
    "CN-JX": "Jiangxi",
    "CN-LN": "Liaoning",
    "CN-MO": "Macao",
    "CN-NM": "Inner Mongolia",
    "CN-NX": "Ningxia",
    "CN-QH": "Qinghai",
    "CN-SC": "Sichuan",
    "CN-SD": "Shandong",
    "CN-SH": "Shanghai",
    "CN-SN": "Shaanxi",
    "CN-SX": "Shanxi",
    "CN-TJ": "Tianjin",
    "CN-TW": "Taiwan",
    "CN-XJ": "Xinjiang",
    "CN-XZ": "Tibet",
    "CN-YN": "Yunnan",
    "CN-ZJ": "Zhejiang"
  },
  "said": {
    " or ": " or ",
    ", this is about it:": ", this is about it:",
    ", verified by ": ", verified by ",
    ". Reason: ": ". Reason: ",
    ". Recorded: ": ". Recorded: ",
    ". They differ.": ". They differ.",
    ": first by ": ": first by ",
    ": this day has passed.": ": this day has passed.",
    "; not signed by the verifier": "; not signed by the verifier",
    "; the label was ordered on or after ": "; the label was ordered on or after ",
    "According to the code, ": "According to the code, ",
    "Boundary": "Boundary",
    "Brand": "Brand",
    "Checked at": "Checked at",
    "Code": "Code",
    "Confirmed in ": "Confirmed in ",
    "Contact": "Contact",
    "Content": "Content",
    "Described by": "Described by",
    "Findings up to": "Findings up to",
    "From primary data": "From primary data",
    "Log": "Log",
    "Lot": "Lot",
    "Made on": "Made on",
    "Maker, as they say": "Maker, as they say",
    "Period": "Period",
    "Printed: ": "Printed: ",
    "Reason": "Reason",
    "Recalled by": "Recalled by",
    "Recalled since": "Recalled since",
    "Sold in": "Sold in",
    "Some lots are recalled. If the pack shows lot ": "Some lots are recalled. If the pack shows lot ",
    "Stated by": "Stated by",
    "Status": "Status",
    "The code has a part that cannot be read: ": "The code has a part that cannot be read: ",
    "Their accreditation": "Their accreditation",
    "This code": "This code",
    "This code was recorded before its label was ordered": "This code was recorded before its label was ordered",
    "Use until": "Use until",
    "Use until ": "Use until ",
    "Valid": "Valid",
    "Verification": "Verification",
    "Vouched for by": "Vouched for by",
    "What to do": "What to do",
    "a later one is in force": "a later one is in force",
    "according to ": "according to ",
    "contradiction": "contradiction",
    "entries": "entries",
    "expired": "expired",
    "goods": "goods",
    "in force": "in force",
    "none is claimed": "none is claimed",
    "none is recorded": "none is recorded",
    "not in force yet": "not in force yet",
    "note": "note",
    "reason: ": "reason: ",
    "recorded": "recorded",
    "this day has passed": "this day has passed",
    "until ": "until ",
    "warning": "warning",
    "withdrawn": "withdrawn"
  },
  "states": {
    "broken": [
      [
        "Records do not match"
      ],
      [
        "Records do not match their signatures. Do not rely on them."
      ]
    ],
    "consistent": [
      [
        "Records consistent"
      ],
      [
        "A label with this code was made, and that is all that is recorded of it. A printed code can be copied: do not go by the code alone.",
        "The records for this code agree, but it was recorded before its label was ordered. A printed code can be copied: do not go by the code alone.",
        "The records for this code are complete and consistent. A printed code can be copied: compare what you hold with the description and the seal.",
        "The records for this code are consistent, but there is no description of it. A printed code can be copied: do not go by the code alone.",
        "The records for this code that were read here are consistent; there are more. A printed code can be copied: compare what you hold with the description and the seal.",
        "The records that describe this place or party are consistent. What happened there is not looked up by its code."
      ]
    ],
    "consistent_seen": [
      [
        "Confirmed before"
      ],
      [
        "A buyer has already confirmed this item. The records that were read here are consistent; there are more.",
        "The records are consistent, and a buyer has already confirmed this item. If you bought it new, say so below."
      ]
    ],
    "copy_suspected": [
      [
        "May be a copied code"
      ],
      [
        "A label with this code was made and, as far as is recorded, not put on goods; yet the code has been seen. It may be a copy, or the label was taken.",
        "The records of this code cannot all be of one item. It may be a copy.",
        "This code has been seen where it cannot be. It may be a copy.",
        "This code was confirmed more often than one item is bought. It may be a copy.",
        "What is printed with this code is not what was recorded for it. It may be a copy, or the print was changed.",
        "Whoever issued this code scrapped it, so it should be on no goods. It may be a copy."
      ]
    ],
    "disputed": [
      [
        "Question open"
      ],
      [
        "A check of the records raised a question that is not settled. The question and what was answered to it are below.",
        "The records disagree about who makes these goods. All who are named are below."
      ]
    ],
    "expired": [
      [
        "Certificate expired"
      ],
      [
        "A certificate for these goods is past its date. The other records below still hold.",
        "A certificate of this place or party is past its date. The other records below still hold."
      ]
    ],
    "foreign": [
      [
        "Not registered here"
      ],
      [
        "Not registered here. No member of this network describes this place or party; events that name it are not looked up by it.",
        "Not registered here. This is a valid code, but this node has no record of it from any member of its network."
      ]
    ],
    "recalled": [
      [
        "Recalled"
      ],
      [
        "The goods have been recalled. Read the reason and what to do below."
      ]
    ],
    "stale": [
      [
        "Not confirmed now"
      ],
      [
        "Not confirmed now: this is what was known at the last check."
      ]
    ],
    "unknown": [
      [
        "No record of these goods",
        "No record of this item",
        "No record of this lot",
        "No record of this place or party",
        "No record of this product",
        "No record of this shipping unit",
        "Not recorded by its issuer"
      ],
      [
        "Among the records that were read here none is of this code; there are more that were not read.",
        "No record of this item. The code may be wrong or invented.",
        "No record of this lot. The code may be wrong or invented.",
        "Others have recorded this code, see below. Whether it was issued, only the node of the organisation that issues these codes can tell.",
        "Others have recorded this code, see below. Whoever answers for these goods has not, in the records that were read here; there are more.",
        "Others have recorded this code, see below; whoever answers for these goods has not. It may be wrong or invented.",
        "There is no record of what this code names, only of what belongs to it.",
        "This node holds no record of this item. Only the node of the organisation that issues these codes can tell whether this one was issued."
      ]
    ],
    "unreadable": [
      [
        "Not a product code",
        "Which code?"
      ],
      [
        "A product number behind (01) has 14 digits; this one has fewer. With zeros in front it can be looked up below.",
        "No code was given. Type the one that is on the goods: the address beside it, or the numbers with their brackets.",
        "This is not a product code: a digit may be wrong, or the print damaged. Type the code below."
      ]
    ],
    "withdrawn": [
      [
        "Certificate withdrawn"
      ],
      [
        "A certificate for these goods was withdrawn. The other records below still hold.",
        "A certificate of this place or party was withdrawn. The other records below still hold."
      ]
    ]
  },
  "steps": {
    "accepting": "accepted",
    "arriving": "arrived",
    "assembling": "assembled",
    "collecting": "collected",
    "commissioning": "made",
    "consigning": "consigned",
    "creating_class_instance": "made",
    "decommissioning": "taken out of use",
    "departing": "departed",
    "destroying": "destroyed",
    "disassembling": "taken apart",
    "dispensing": "dispensed",
    "encoding": "code written",
    "holding": "put on hold",
    "inspecting": "inspected",
    "installing": "installed",
    "killing": "code ended",
    "loading": "loaded",
    "packing": "packed",
    "picking": "picked",
    "receiving": "received",
    "removing": "removed",
    "repackaging": "repackaged",
    "repairing": "repaired",
    "replacing": "replaced",
    "retail_selling": "sold",
    "sampling": "sampled",
    "shipping": "shipped",
    "stocking": "put on the shelf",
    "storing": "stored",
    "transporting": "in transport",
    "unloading": "unloaded",
    "unpacking": "unpacked"
  }
};
