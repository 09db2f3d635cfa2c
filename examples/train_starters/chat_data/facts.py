"""Facts on countries: capital, place, people, language, area, mountain; asked anew, shortly, in reverse, or doubted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source, lines, sections

_NAMES = {
    "DRC": "the Democratic Republic of the Congo", "Holy See (Vatican City)": "Vatican City",
    "Congo (Brazzaville)": "the Republic of the Congo", "Burma": "Myanmar", "Côte d'Ivoire": "Ivory Coast",
    "Falkland Islands (Islas Malvinas)": "the Falkland Islands", "The Gambia": "Gambia", "The Bahamas": "the Bahamas",
    "Turkey (Turkiye)": "Turkey", "Korea, South": "South Korea", "Korea, North": "North Korea", "Czechia": "Czechia",
}  # fmt: skip
_WITH_ARTICLE = ("United", "Netherlands", "Philippines", "Maldives", "Solomon", "Marshall", "Central", "Comoros",
                 "Dominican", "Seychelles", "Cayman", "Cook", "Faroe")  # fmt: skip
_CAPITALS = {
    "South Africa": "Pretoria", "Bolivia": "Sucre", "Benin": "Porto-Novo", "Sri Lanka": "Sri Jayewardenepura Kotte",
    "Tanzania": "Dodoma", "Ivory Coast": "Yamoussoukro", "Burundi": "Gitega", "Israel": "Jerusalem",
}  # fmt: skip
_ALIASES = {
    "the United States": ["the US", "the USA", "America", "the united states of america", "usa"],
    "the United Kingdom": ["the UK", "Britain", "England", "great britain", "uk"],
    "the Netherlands": ["Holland", "Netherlands"], "Czechia": ["the Czech Republic"], "the United Arab Emirates": ["the UAE"],
    "the Democratic Republic of the Congo": ["the DRC", "Congo"], "Myanmar": ["Burma"], "Turkey": ["Turkiye"],
}  # fmt: skip
_FAMOUS = set("""Germany,France,Italy,Spain,Portugal,the United Kingdom,Ireland,Poland,the Netherlands,Belgium,Austria,Switzerland
Sweden,Norway,Denmark,Finland,Greece,Turkey,Russia,Ukraine,Hungary,Romania,Czechia,Iceland,Croatia,Serbia,Bulgaria,Egypt,Morocco
Kenya,Nigeria,South Africa,Ethiopia,Algeria,Tunisia,Ghana,Tanzania,China,Japan,India,South Korea,North Korea,Thailand,Vietnam
Indonesia,Malaysia,the Philippines,Singapore,Pakistan,Bangladesh,Nepal,Iran,Iraq,Israel,Saudi Arabia,the United Arab Emirates
Australia,New Zealand,Canada,the United States,Mexico,Cuba,Jamaica,Brazil,Argentina,Chile,Peru,Colombia,Venezuela,Ecuador
Bolivia,Uruguay,Afghanistan,Mongolia,Kazakhstan,Lebanon,Syria,Jordan,Qatar,Uganda,Zimbabwe,Madagascar,Luxembourg,Malta
Slovakia,Slovenia,Estonia,Latvia,Lithuania,Albania,Cyprus,Costa Rica,Panama""".replace("\n", ",").split(","))  # fmt: skip


@dataclass(frozen=True)
class Country:
    """What is taught of one country; an empty field is not asked."""

    name: str
    capital: str
    continent: str
    people: str
    languages: str
    area: str
    mountain: str

    @property
    def famous(self) -> bool:
        """Whether people ask for it often."""
        return self.name in _FAMOUS

    def called(self, source: Source) -> str:
        """A name for it that people type."""
        names = [self.name, *_ALIASES.get(self.name, [])]
        name = names[0] if source.chance(0.5) else source.choose(names)
        return name.removeprefix("the ") if source.chance(0.2) else name


def _number(text: str) -> float | None:
    match = re.match(r"([\d,.]+)( million)?", text)
    return float(match.group(1).replace(",", "")) * (1e6 if match.group(2) else 1) if match else None


def _rounded(value: float) -> str:
    if value >= 1e9:
        return f"{value / 1e9:.1f} billion"
    if value >= 1e7:
        return f"{value / 1e6:.0f} million"
    if value >= 1e6:
        return f"{value / 1e6:.1f} million".replace(".0 ", " ")
    step = 1000 if value >= 1e4 else 100
    return f"{round(value / step) * step:.0f}"


def _languages(text: str) -> str:
    flat = re.sub(
        r"\([^()]*\)",
        lambda match: "!" if "official" in match.group() else "",
        re.sub(r"\([^()]*\([^()]*\)[^()]*\)", "!", text),
    )
    items = [re.sub(r"[\d.%]+|\bonly\b", "", item).strip() for item in re.split(r"[,;]", flat)]
    official = [item for item in items if "!" in item]
    names = [item.replace("!", "").strip() for item in (official or items)[:3]]
    names = [name for name in names if re.fullmatch(r"[A-Z][^\W\d]+([ -][^\W\d]+){0,2}", name)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _continent(row: dict[str, str]) -> str:
    for continent in (
        "Africa",
        "Europe",
        "South America",
        "Central America",
        "North America",
        "Oceania",
        "Caribbean",
        "Asia",
        "Middle East",
    ):
        if continent.lower() in row["location"].lower().split("between")[0]:
            return {
                "Central America": "Central America",
                "Caribbean": "the Caribbean",
                "Middle East": "the Middle East",
            }.get(continent, continent)
    return {"africa": "Africa", "europe": "Europe", "middle east": "the Middle East", "australia oceania": "Oceania",
            "north america": "North America", "south america": "South America"}.get(row["region"].replace("-", " "), "Asia" if "asia" in row["region"] else "")  # fmt: skip


def _country(row: dict[str, str]) -> Country:
    name = _NAMES.get(row["name"], re.sub(r" \(.*", "", row["name"]))
    name = "the " + name if name.startswith(_WITH_ARTICLE) else name
    capital = _CAPITALS.get(name) or re.split(r" \(|;|, [A-Z][a-z]", row["capital"])[0].strip()
    people, area = _number(row["population"]), _number(row["area_total"])
    height = re.search(r"([\d,]+) m\b", row["highest_point"])
    peak = re.split(r" \(|,|;| [\d,]+( |$)", row["highest_point"])[0]
    mountain = f"{peak}, {height.group(1)} m" if height and "unnamed" not in peak and len(peak) < 28 else ""
    return Country(
        name, capital if len(capital) < 30 else "", _continent(row), _rounded(people) if people else "",
        _languages(row["languages"]), _rounded(area) if area and area > 1 else "", mountain,
    )  # fmt: skip


@cache
def countries(data: Path) -> list[Country]:
    """All countries of the data folder."""
    rows = (data / "countries.jsonl").read_text(encoding="utf-8").splitlines()
    return [_country(json.loads(row)) for row in rows if row]


_WORDINGS = sections("facts")
_CAPITAL = _WORDINGS["capital"]
_PEOPLE = _WORDINGS["people"]
_LANGUAGE = _WORDINGS["language"]
_WHERE = _WORDINGS["where"]
_AREA = _WORDINGS["area"]
_MOUNTAIN = _WORDINGS["mountain"]
_ABOUT = _WORDINGS["about"]
_MORE = _WORDINGS["more"]
_SURE = _WORDINGS["sure"]
_ITS = {
    "capital": lines("""
and the capital?
what is its capital?
and its capital?
what's the capital?
the capital?
what is the capital there?
and what is the capital city?
which city is its capital?
and what's its capital?
"""),
    "people": lines("""
and its population?
how many people live there?
and the population?
population?
what is its population?
how many people does it have?
and how many people live there?
how many inhabitants are there?
how many people are living there?
"""),
    "languages": lines("""
what language do they speak there?
and the language?
which language is spoken there?
and what do they speak?
what do people speak there?
what language do they speak?
and its language?
which languages are spoken there?
what do the people there speak?
"""),
    "continent": lines("""
where is it?
and where is that?
where is that located?
which continent is it on?
and where is it?
which continent is that?
in what part of the world is it?
"""),
    "area": lines("""
how big is it?
and its area?
how large is it?
what is its size?
and how big is it?
how big is the country?
what area does it have?
how big is that in square (km|kilometers)?
"""),
    "mountain": lines("""
and its highest mountain?
what is its highest mountain?
what's the highest point there?
highest mountain?
how high is its highest mountain?
and the highest mountain there?
which mountain is the highest there?
"""),
}
_ASKED = {
    "capital": _CAPITAL,
    "people": _PEOPLE,
    "languages": _LANGUAGE,
    "continent": _WHERE,
    "area": _AREA,
    "mountain": _MOUNTAIN,
}
_WEIGHTS = {"capital": 9, "people": 4, "languages": 4, "continent": 3, "area": 2, "mountain": 2}
_AND = ["and {c}?", "what about {c}?", "{c}?", "and in {c}?", "how about {c}?", "and of {c}?", "same for {c}?", "and for {c}?",
        "and {c}", "what is it for {c}?", "ok and {c}?", "now {c}", "then {c}?", "and what about {c}?"]  # fmt: skip


def stated(country: Country, field: str) -> str:
    """One fact as a sentence."""
    name = country.name[0].upper() + country.name[1:]
    return {
        "capital": f"The capital of {country.name} is {country.capital}.",
        "people": f"About {country.people} people live in {country.name}.",
        "languages": f"People in {country.name} speak {country.languages}.",
        "continent": f"{name} is in {country.continent}.",
        "area": f"{name} covers about {country.area} square kilometres.",
        "mountain": f"The highest point of {country.name} is {country.mountain}.",
    }[field]


def pick(source: Source, data: Path) -> Country:
    """A country, the well-known ones more often."""
    all_of_them = countries(data)
    while True:
        country = source.choose(all_of_them)
        if country.capital and (country.famous or source.chance(0.2)):
            return country


def field_of(source: Source, country: Country) -> str:
    """A field that the country has, the capital most often."""
    fields = [field for field in _WEIGHTS if getattr(country, field)]
    return source.rng.choices(fields, [_WEIGHTS[field] for field in fields])[0]


def question(source: Source, country: Country, field: str) -> Turn:
    """One fact asked with the country's name."""
    return Turn(
        source.say(_ASKED[field], c=country.called(source), n="people"), stated(country, field), "facts"
    )


def talk(source: Source, data: Path) -> list[Turn]:
    """A question on a country and what people ask next: another country, another fact, more, or whether it is so."""
    country = pick(source, data)
    field = field_of(source, country)
    if source.chance(0.15):
        told = [one for one in ("capital", "people") if getattr(country, one)]
        overview = [stated(country, "continent"), *(stated(country, one) for one in told)]
        turns = [Turn(source.say(_ABOUT, c=country.called(source)), " ".join(overview), "facts")]
    else:
        turns, told = [question(source, country, field)], [field]
    for _ in range(source.choose([0, 0, 1, 1, 2, 3])):
        kind = source.rng.random()
        left = [one for one in _WEIGHTS if getattr(country, one) and one not in told]
        if kind < 0.4:
            country, told = pick(source, data), []
            field = field if getattr(country, field) else "capital"
            turns.append(Turn(source.say(_AND, c=country.called(source)), stated(country, field), "facts"))
        elif kind < 0.78 and left:
            field = source.choose(left)
            turns.append(Turn(source.say(_ITS[field]), stated(country, field), "facts"))
        elif kind < 0.88 and left:
            field = left[0]
            turns.append(Turn(source.say(_MORE), stated(country, field), "facts"))
        elif told:
            turns.append(
                Turn(
                    source.say(_SURE),
                    f"Yes, as far as I know. {turns[-1].answer.removeprefix('Yes, as far as I know. ')}",
                    "facts",
                )
            )
        told = [*told, field]
    return turns


_REVERSED = _WORDINGS["reversed"]
_IS_IT = _WORDINGS["is_it"]
_BOTH = _WORDINGS["both"]
_LARGER = _WORDINGS["larger"]
_NO_SUCH = _WORDINGS["no_such"]
_BIGGER = _WORDINGS["bigger"]
_IN_IT = _WORDINGS["in_it"]
_INVENTED = "Wakonia Narnia Zubrovka Atlantis Elbonia Freedonia Mordor Gondor Westeros Latveria Sokovia Genovia Panem Hogwarts Oz".split()


def odd(source: Source, data: Path) -> list[Turn]:
    """Facts asked from the other side, two at once, doubtful ones, comparisons, and what is not known of a country."""
    country, other, kind = pick(source, data), pick(source, data), source.rng.random()
    if kind < 0.3:
        asked = source.say(_REVERSED, k=country.capital)
        return [Turn(asked, f"{country.capital} is the capital of {country.name}.", "facts")]
    if kind < 0.48:
        named = country if source.chance(0.4) else other
        user = source.say(_IS_IT, c=country.called(source), k=named.capital)
        return [
            Turn(
                user,
                f"{'Yes' if named is country else 'No'}, the capital of {country.name} is {country.capital}.",
                "facts",
            )
        ]
    if kind < 0.62 and country.people:
        user = source.say(_BOTH, c=country.called(source))
        return [Turn(user, f"{stated(country, 'capital')} {stated(country, 'people')}", "facts")]
    if kind < 0.72 and country.people and other.people:
        user = source.say(_LARGER, a=country.called(source), b=other.called(source))
        return [Turn(user, f"{stated(country, 'people')} {stated(other, 'people')}", "facts")]
    if kind < 0.77 and country.area and other.area:
        user = source.say(_BIGGER, a=country.called(source), b=other.called(source))
        return [Turn(user, f"{stated(country, 'area')} {stated(other, 'area')}", "facts")]
    if kind < 0.84:
        named = country if source.chance(0.5) else other
        user = source.say(_IN_IT, c=country.called(source), k=named.capital)
        answer = f"{'Yes' if named is country else 'No'}, {named.capital} is the capital of {named.name}."
        return [Turn(user, answer, "facts")]
    if kind < 0.92:
        user = source.say(_NO_SUCH, c=country.called(source), k=country.capital)
        return [Turn(user, NOT_KNOWN, "facts")]
    user = source.say(source.choose([_CAPITAL, _PEOPLE, _WHERE]), c=_invented(source), n="people")
    return [Turn(user, "I do not know a country of that name.", "facts")]


def _invented(source: Source) -> str:
    if source.chance(0.4):
        return source.choose(_INVENTED)
    syllables = [
        source.choose("bdfgklmnprstvz") + source.choose("aeiou") for _ in range(source.choose([2, 3]))
    ]
    return "".join(syllables).capitalize() + source.choose(["nia", "land", "stan", "ria", "via", "dor"])


NOT_KNOWN = "I do not know that. Of countries I know the capital, population, languages, place, area and highest point."
