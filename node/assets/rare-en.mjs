// Generated from the page's source; rewrite it with: UPDATE=1 cargo test -p hallmark-tests generated.
import { identifiers, units, currencies } from './printed-en.mjs';
export const wording = { identifiers, units, currencies, ...{
  "faults": {
    "digest": "its bytes are not those that were recorded",
    "form": "it cannot be read",
    "inclusion": "its log does not prove it",
    "signature": "its signature does not hold"
  },
  "free": [
    " names ",
    " names itself",
    "?",
    "Capital and small letters are different codes. ",
    "Did you mean ",
    "Different makers are named. Any member can describe any product number, and nothing in this network tells whose it is:",
    "In doubt, because a key was revoked that may have been in other hands:",
    "Not all records of this code were read here.",
    "Of the label with this code it is recorded that it was made, no more.",
    "Only others have recorded events of this code, not the organisation that made the label.",
    "Other labels of this kind are recorded as put on goods; this one is not.",
    "What it covers"
  ],
  "prints": {
    "10": "lot",
    "11": "made on",
    "15": "best before",
    "17": "use until",
    "7003": "use until"
  },
  "said": {
    " or ": " or ",
    " was lifted on ": " was lifted on ",
    " · its key was revoked": " · its key was revoked",
    ", in doubt since ": ", in doubt since ",
    ", this is about it:": ", this is about it:",
    ". Reason: ": ". Reason: ",
    ". Recorded: ": ". Recorded: ",
    ". They differ.": ". They differ.",
    ": first by ": ": first by ",
    ": this day has passed.": ": this day has passed.",
    "; the label was ordered on or after ": "; the label was ordered on or after ",
    "A recall of ": "A recall of ",
    "A recall takes effect on ": "A recall takes effect on ",
    "A record about these goods was erased on ": "A record about these goods was erased on ",
    "According to the code, ": "According to the code, ",
    "At most": "At most",
    "Class of goods": "Class of goods",
    "Printed: ": "Printed: ",
    "Recorded in ": "Recorded in ",
    "Site": "Site",
    "Some lots are recalled. If the pack shows lot ": "Some lots are recalled. If the pack shows lot ",
    "The code has a part that cannot be read: ": "The code has a part that cannot be read: ",
    "This code": "This code",
    "This code was recorded before its label was ordered": "This code was recorded before its label was ordered",
    "Use until ": "Use until ",
    "a later one is in force": "a later one is in force",
    "contradiction": "contradiction",
    "items": "items",
    "note": "note",
    "warning": "warning"
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
        "Recorded as destroyed",
        "Recorded as taken out of use",
        "Recorded as used up",
        "Records consistent",
        "Said by others to be destroyed",
        "Said by others to be out of use",
        "Said by others to be used up"
      ],
      [
        "A label with this code was made, and that is all that is recorded of it. A printed code can be copied: do not go by the code alone.",
        "An organisation that is not known to have had these goods says that they are no more. It is named below; nobody who had them says so. A printed code can be copied: compare what you hold with the description and the seal.",
        "By the records these goods were destroyed. What you hold with this code may be something else: do not go by the code.",
        "By the records these goods were used up to make others. What you hold with this code may be something else: do not go by the code.",
        "By the records this code was taken out of use. What you hold with it may be something else: do not go by the code.",
        "The records for this code agree, but it was recorded before its label was ordered. A printed code can be copied: do not go by the code alone.",
        "The records for this code are complete and consistent. A printed code can be copied: compare what you hold with the description and the seal.",
        "The records for this code are consistent, but there is no description of it. A printed code can be copied: do not go by the code alone.",
        "The records for this code that were read here are consistent; there are more. A printed code can be copied: compare what you hold with the description and the seal.",
        "The records that describe this place or party are consistent. What happened there is not looked up by its code.",
        "What is left of the records for this code agrees, but a record about these goods was erased, see below. A printed code can be copied: do not go by the code alone."
      ]
    ],
    "consistent_seen": [
      [
        "Confirmed before",
        "Recorded as destroyed",
        "Recorded as taken out of use",
        "Recorded as used up",
        "Said by others to be destroyed",
        "Said by others to be out of use",
        "Said by others to be used up"
      ],
      [
        "A buyer has already confirmed this item. The records that were read here are consistent; there are more.",
        "An organisation that is not known to have had these goods says that they are no more. It is named below; nobody who had them says so. A printed code can be copied: compare what you hold with the description and the seal.",
        "By the records these goods were destroyed. What you hold with this code may be something else: do not go by the code.",
        "By the records these goods were used up to make others. What you hold with this code may be something else: do not go by the code.",
        "By the records this code was taken out of use. What you hold with it may be something else: do not go by the code.",
        "The records are consistent, and a buyer has already confirmed this item. If you bought it new, say so below.",
        "What is left of the records for this code agrees, but a record about these goods was erased, see below. A printed code can be copied: do not go by the code alone."
      ]
    ],
    "copy_suspected": [
      [
        "May be a copied code"
      ],
      [
        "A buyer confirmed this code after its goods were recorded as destroyed, used up or taken out of use. It may be a copy.",
        "A buyer confirmed this code before its goods were shipped. It may be a copy.",
        "A buyer confirmed this code where its lot, by the records, is not sold. It may be a copy.",
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
        "A key was revoked that signed records of this code: it is in doubt who signed them. Which ones and since when is below.",
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
        "No record of this coupon",
        "No record of this document",
        "No record of this item",
        "No record of this lot",
        "No record of this place or party",
        "No record of this product",
        "No record of this service relation",
        "No record of this shipping unit",
        "Not recorded by its issuer",
        "Recalled, no other record"
      ],
      [
        "A recall names this code, see below. Apart from that, whoever answers for it has no record of it here.",
        "Among the records that were read here none is of this code; there are more that were not read.",
        "Lots of this product are recalled, see below. Apart from that, there is no record of it here.",
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
        "A certificate of this place or party was withdrawn. The other records below still hold.",
        "The key that signed a certificate shown here was revoked: it is in doubt who issued it. Do not rely on that certificate."
      ]
    ]
  }
} };
