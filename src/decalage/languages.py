"""Language codes: BCP 47 as people write them, reduced to what the models know.

The names are Whisper's (``openai/whisper``, tokenizer.py); Firefox's models have the same. NLLB-200 has
its own: ISO 639-3 and the script (*No Language Left Behind*, 2022, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from decalage.errors import UsageError, brief


@dataclass(frozen=True, slots=True)
class Language:
    """A language that Whisper hears."""

    code: str
    """Whisper's and Firefox's name of it: BCP 47, but for ``jw`` and ``no``."""
    iso: str
    """ISO 639-3."""
    nllb: str | None
    """NLLB-200's name; None: it does not know it."""
    name: str
    """In English."""


_TABLE = """
af afr afr_Latn Afrikaans
am amh amh_Ethi Amharic
ar ara arb_Arab Arabic
as asm asm_Beng Assamese
az aze azj_Latn Azerbaijani
ba bak bak_Cyrl Bashkir
be bel bel_Cyrl Belarusian
bg bul bul_Cyrl Bulgarian
bn ben ben_Beng Bengali
bo bod bod_Tibt Tibetan
br bre - Breton
bs bos bos_Latn Bosnian
ca cat cat_Latn Catalan
cs ces ces_Latn Czech
cy cym cym_Latn Welsh
da dan dan_Latn Danish
de deu deu_Latn German
el ell ell_Grek Greek
en eng eng_Latn English
es spa spa_Latn Spanish
et est est_Latn Estonian
eu eus eus_Latn Basque
fa fas pes_Arab Persian
fi fin fin_Latn Finnish
fo fao fao_Latn Faroese
fr fra fra_Latn French
gl glg glg_Latn Galician
gu guj guj_Gujr Gujarati
ha hau hau_Latn Hausa
haw haw - Hawaiian
he heb heb_Hebr Hebrew
hi hin hin_Deva Hindi
hr hrv hrv_Latn Croatian
ht hat hat_Latn Haitian Creole
hu hun hun_Latn Hungarian
hy hye hye_Armn Armenian
id ind ind_Latn Indonesian
is isl isl_Latn Icelandic
it ita ita_Latn Italian
ja jpn jpn_Jpan Japanese
jw jav jav_Latn Javanese
ka kat kat_Geor Georgian
kk kaz kaz_Cyrl Kazakh
km khm khm_Khmr Khmer
kn kan kan_Knda Kannada
ko kor kor_Hang Korean
la lat - Latin
lb ltz ltz_Latn Luxembourgish
ln lin lin_Latn Lingala
lo lao lao_Laoo Lao
lt lit lit_Latn Lithuanian
lv lav lvs_Latn Latvian
mg mlg plt_Latn Malagasy
mi mri mri_Latn Maori
mk mkd mkd_Cyrl Macedonian
ml mal mal_Mlym Malayalam
mn mon khk_Cyrl Mongolian
mr mar mar_Deva Marathi
ms msa zsm_Latn Malay
mt mlt mlt_Latn Maltese
my mya mya_Mymr Burmese
ne nep npi_Deva Nepali
nl nld nld_Latn Dutch
nn nno nno_Latn Norwegian Nynorsk
no nor nob_Latn Norwegian
oc oci oci_Latn Occitan
pa pan pan_Guru Punjabi
pl pol pol_Latn Polish
ps pus pbt_Arab Pashto
pt por por_Latn Portuguese
ro ron ron_Latn Romanian
ru rus rus_Cyrl Russian
sa san san_Deva Sanskrit
sd snd snd_Arab Sindhi
si sin sin_Sinh Sinhala
sk slk slk_Latn Slovak
sl slv slv_Latn Slovenian
sn sna sna_Latn Shona
so som som_Latn Somali
sq sqi als_Latn Albanian
sr srp srp_Cyrl Serbian
su sun sun_Latn Sundanese
sv swe swe_Latn Swedish
sw swa swh_Latn Swahili
ta tam tam_Taml Tamil
te tel tel_Telu Telugu
tg tgk tgk_Cyrl Tajik
th tha tha_Thai Thai
tk tuk tuk_Latn Turkmen
tl tgl tgl_Latn Tagalog
tr tur tur_Latn Turkish
tt tat tat_Cyrl Tatar
uk ukr ukr_Cyrl Ukrainian
ur urd urd_Arab Urdu
uz uzb uzn_Latn Uzbek
vi vie vie_Latn Vietnamese
yi yid ydd_Hebr Yiddish
yo yor yor_Latn Yoruba
yue yue yue_Hant Cantonese
zh zho zho_Hans Chinese
"""


def _languages() -> dict[str, Language]:
    rows = (line.split(maxsplit=3) for line in _TABLE.strip().splitlines())
    return {code: Language(code, iso, None if nllb == "-" else nllb, name) for code, iso, nllb, name in rows}


LANGUAGES: Mapping[str, Language] = MappingProxyType(_languages())
"""By code."""

_BIBLIOGRAPHIC = {
    "alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl", "fre": "fr",
    "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "mao": "mi", "may": "ms", "per": "fa",
    "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy",
}  # fmt: skip
"""ISO 639-2/B, which media files carry."""

_ALIASES = {
    **{each.nllb[:3]: each.code for each in LANGUAGES.values() if each.nllb is not None},
    **{each.iso: each.code for each in LANGUAGES.values()},
    **_BIBLIOGRAPHIC,
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "jv": "jw",
    "nb": "no",
    "fil": "tl",
    "cmn": "zh",
}
"""Other codes of the same languages."""


def primary(code: str) -> str:
    """The primary language of a BCP 47 tag: ``pt-BR`` → ``pt``. RFC 5646, section 2.2.1.

    Three letters of ISO 639 become what the models say: ``por`` → ``pt``. Raises ``UsageError`` when
    ``code`` cannot be a language tag.
    """
    head = code.replace("_", "-").split("-")[0].lower()
    if not (head.isascii() and head.isalpha() and 2 <= len(head) <= 3):
        raise UsageError(f"{brief(code)} is not a language code; write for example en, pt or pt-BR")
    return _ALIASES.get(head, head)
