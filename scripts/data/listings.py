#!/usr/bin/env python3
"""Write data/listings.csv, in the listings CSV format, to standard output.

    python3 scripts/data/listings.py > data/listings.csv

The products are common Argentine exports, written from public facts; producers, certificate
numbers, GTINs and prices are examples. The seller of a listing is an example exporter of the
listing's province: the rule is in data/README.md. The order of the rows matters: the demo deals
the products of the sales file to the listings in this order.
"""
import csv
import io
import sys

from exporters import exporters

HEADER = ["sku", "seller_cuit", "title", "ncm", "gtin", "channel", "unit", "statistical_unit",
          "statistical_factor", "price", "currency", "certificates", "destination", "producer",
          "origin"]

# sku, title, ncm, statistical unit, factor, price USD, province, channel (O or S), gtin (y or n)
ROWS = [
    ("WINE-001", "Malbec Reserva, Valle de Uco, 750 ml", "2204.21.00", "LTR", "0.75", "18.50", "M", "O", "y"),
    ("WINE-002", "Malbec clásico, Luján de Cuyo, 750 ml", "2204.21.00", "LTR", "0.75", "11.90", "M", "S", "y"),
    ("FISH-001", "Langostino patagónico entero congelado, L1, caja 2 kg", "0306.17.10", "KGM", "2", "24.80", "U", "O", "y"),
    ("WINE-003", "Malbec orgánico, Maipú, 750 ml", "2204.21.00", "LTR", "0.75", "14.20", "M", "S", "y"),
    ("WINE-004", "Torrontés de altura, Cafayate, 750 ml", "2204.21.00", "LTR", "0.75", "12.40", "A", "O", "y"),
    ("MEAT-001", "Bife ancho bovino enfriado, deshuesado, envasado al vacío, 2 kg", "0201.30.00", "KGM", "2", "39.00", "S", "O", "n"),
    ("WINE-005", "Cabernet Franc, Gualtallary, 750 ml", "2204.21.00", "LTR", "0.75", "21.00", "M", "S", "y"),
    ("WINE-006", "Bonarda, Este mendocino, 750 ml", "2204.21.00", "LTR", "0.75", "9.80", "M", "S", "y"),
    ("HONE-001", "Miel multifloral, pradera pampeana, frasco 500 g", "0409.00.00", "KGM", "0.5", "6.90", "B", "O", "y"),
    ("WINE-007", "Espumante extra brut, método tradicional, 750 ml", "2204.10.90", "LTR", "0.75", "16.70", "M", "O", "y"),
    ("FISH-002", "Merluza negra, eviscerada, sin cabeza y sin cola, congelada, 5 kg", "0303.83.11", "KGM", "5", "148.00", "V", "O", "n"),
    ("WINE-008", "Cabernet Sauvignon, Agrelo, 750 ml", "2204.21.00", "LTR", "0.75", "13.60", "M", "S", "y"),
    ("MEAT-002", "Brazuelo y garrón bovino congelado, deshuesado, 5 kg", "0202.30.00", "KGM", "5", "36.50", "B", "S", "n"),
    ("WINE-009", "Syrah, Valle de Pedernal, 750 ml", "2204.21.00", "LTR", "0.75", "12.80", "J", "S", "y"),
    ("YERB-001", "Yerba mate con palo, estacionada, 1 kg", "0903.00.90", "KGM", "1", "5.40", "N", "O", "y"),
    ("WINE-010", "Pinot Noir, Alto Valle del Río Negro, 750 ml", "2204.21.00", "LTR", "0.75", "17.30", "R", "O", "y"),
    ("FRUT-001", "Limón Eureka, calibre 80, caja 15 kg", "0805.50.00", "KGM", "15", "19.50", "T", "S", "n"),
    ("WINE-011", "Chardonnay, Tupungato, 750 ml", "2204.21.00", "LTR", "0.75", "13.10", "M", "S", "n"),
    ("FRUT-002", "Arándanos frescos, bandeja 125 g, caja por 12", "0810.40.00", "KGM", "1.5", "17.20", "E", "O", "y"),
    ("WINE-012", "Sémillon, viñas viejas, Río Negro, 750 ml", "2204.21.00", "LTR", "0.75", "15.90", "R", "S", "n"),
    ("OILS-001", "Aceite de oliva virgen extra, arauco, 500 ml", "1509.20.00", "KGM", "0.458", "9.70", "F", "O", "y"),
    ("WINE-013", "Tannat, Valles Calchaquíes, 750 ml", "2204.21.00", "LTR", "0.75", "14.80", "A", "S", "y"),
    ("NUTS-001", "Maní confitería blancheado 40/50, bolsa 25 kg", "1202.42.00", "KGM", "25", "42.00", "X", "S", "n"),
    ("WINE-014", "Malbec rosado, San Rafael, 750 ml", "2204.21.00", "LTR", "0.75", "10.20", "M", "S", "y"),
    ("SWEE-001", "Dulce de leche tradicional, frasco 450 g", "1901.90.20", "KGM", "0.45", "4.60", "B", "O", "y"),
    ("WINE-015", "Corte de tintas, Valle de Uco, 750 ml", "2204.21.00", "LTR", "0.75", "22.50", "M", "O", "y"),
    ("FISH-003", "Cola de langostino pelada y desvenada, congelada, 1 kg", "0306.17.90", "KGM", "1", "15.30", "U", "S", "y"),
    ("WINE-016", "Malbec de altura, Quebrada de Humahuaca, 750 ml", "2204.21.00", "LTR", "0.75", "26.00", "Y", "S", "n"),
    ("SWEE-002", "Alfajores de dulce de leche, caja por 12", "1905.90.90", "KGM", "0.6", "8.90", "B", "S", "y"),
    ("WINE-017", "Torrontés riojano, Chilecito, 750 ml", "2204.21.00", "LTR", "0.75", "8.70", "F", "S", "y"),
    ("FISH-004", "Filete de merluza hubbsi congelado, sin piel, 1 kg", "0304.74.00", "KGM", "1", "6.80", "B", "O", "y"),
    ("WINE-018", "Espumante rosado brut, 750 ml", "2204.10.90", "LTR", "0.75", "13.90", "M", "S", "y"),
    ("VEGE-001", "Ajo morado, categoría extra, caja 10 kg", "0703.20.90", "KGM", "10", "21.60", "M", "S", "n"),
    ("WINE-019", "Vino dulce natural, cosecha tardía, 500 ml", "2204.21.00", "LTR", "0.5", "12.00", "J", "S", "y"),
    ("FISH-005", "Calamar illex entero congelado, bloque 10 kg", "0307.43.10", "KGM", "10", "31.00", "B", "S", "n"),
    ("WINE-020", "Malbec, bag-in-box 3 l", "2204.22.11", "LTR", "3", "19.80", "M", "S", "y"),
    ("DRIE-001", "Pasas de uva sin semilla, bolsa 1 kg", "0806.20.00", "KGM", "1", "4.10", "J", "O", "y"),
    ("DRIE-002", "Ciruelas desecadas sin carozo, bolsa 1 kg", "0813.20.20", "KGM", "1", "5.20", "M", "S", "y"),
    ("NUTS-002", "Nuez mariposa pelada extra light, 1 kg", "0802.32.00", "KGM", "1", "11.40", "K", "S", "n"),
    ("NUTS-003", "Pistacho natural con cáscara, 1 kg", "0802.51.00", "KGM", "1", "16.90", "J", "S", "n"),
    ("FISH-006", "Centolla fueguina cocida y congelada, 2 kg", "0306.14.00", "KGM", "2", "58.00", "V", "O", "n"),
    ("FISH-007", "Vieira patagónica congelada, 1 kg", "0307.22.00", "KGM", "1", "19.70", "B", "S", "n"),
    ("FISH-008", "Corvina rubia entera congelada, 10 kg", "0303.89.10", "KGM", "10", "17.50", "B", "S", "n"),
    ("FISH-009", "Filete de merluza negra congelado, 1 kg", "0304.85.10", "KGM", "1", "44.00", "V", "S", "y"),
    ("MEAT-003", "Pierna de cordero patagónico congelada, deshuesada, 2 kg", "0204.43.00", "KGM", "2", "27.50", "Z", "S", "n"),
    ("HONE-002", "Miel de limón, Tucumán, frasco 500 g", "0409.00.00", "KGM", "0.5", "7.80", "T", "S", "y"),
    ("FRUT-003", "Cerezas frescas, calibre 28+, caja 5 kg", "0809.29.00", "KGM", "5", "46.00", "U", "O", "n"),
    ("FRUT-004", "Peras Williams, caja 18 kg", "0808.30.00", "KGM", "18", "23.40", "R", "S", "n"),
    ("FRUT-005", "Mandarinas Murcott, caja 10 kg", "0805.21.00", "KGM", "10", "15.70", "E", "S", "n"),
    ("FRUT-006", "Arándanos congelados IQF, bolsa 1 kg", "0811.90.00", "KGM", "1", "7.60", "E", "S", "y"),
    ("YERB-002", "Yerba mate orgánica sin palo, 500 g", "0903.00.90", "KGM", "0.5", "4.80", "W", "S", "y"),
    ("TEAS-001", "Té negro en hebras, lata 250 g", "0902.30.00", "KGM", "0.25", "3.90", "N", "S", "y"),
    ("GRAI-001", "Maíz pisingallo para palomitas, bolsa 1 kg", "1005.90.10", "KGM", "1", "2.30", "S", "S", "y"),
    ("GRAI-002", "Quinoa real lavada, bolsa 500 g", "1008.50.90", "KGM", "0.5", "3.70", "Y", "S", "y"),
    ("GRAI-003", "Porotos alubia, bolsa 1 kg", "0713.33.29", "KGM", "1", "2.60", "A", "S", "y"),
    ("SEED-001", "Semillas de chía, bolsa 500 g", "1207.99.90", "KGM", "0.5", "3.40", "A", "S", "y"),
    ("OILS-002", "Aceite de girasol alto oleico refinado, 900 ml", "1512.19.11", "KGM", "0.828", "3.10", "S", "S", "y"),
    ("SWEE-003", "Mermelada de frutos rojos de la Patagonia, frasco 360 g", "2007.99.10", "KGM", "0.36", "5.10", "Q", "S", "y"),
    ("OLIV-001", "Aceitunas verdes descarozadas, frasco 330 g", "2005.70.00", "KGM", "0.33", "4.40", "F", "S", "y"),
    ("NUTS-004", "Maní tostado y salado, bolsa 500 g", "2008.11.00", "KGM", "0.5", "2.90", "X", "O", "y"),
]

# What a chapter needs: issuer, and the day to which the example certificate holds.
ISSUERS = {
    "02": ["SENASA", "GACC"], "03": ["SENASA", "GACC"], "04": ["SENASA", "GACC"], "07": ["SENASA"],
    "08": ["SENASA"], "09": ["INAL"], "10": ["SENASA"], "12": ["INAL"], "15": ["INAL"],
    "19": ["INAL"], "20": ["INAL"], "22": ["INV"],
}
PLACES = {
    "A": "Salta", "B": "Buenos Aires", "E": "Entre Ríos", "F": "La Rioja", "J": "San Juan",
    "K": "Catamarca", "M": "Mendoza", "N": "Misiones", "Q": "Neuquén", "R": "Río Negro",
    "S": "Santa Fe", "T": "Tucumán", "U": "Chubut", "V": "Tierra del Fuego", "W": "Corrientes",
    "X": "Córdoba", "Y": "Jujuy", "Z": "Santa Cruz",
}
MAKERS = {"WINE": "Bodega", "FISH": "Planta pesquera", "MEAT": "Frigorífico"}


def certificate(issuer, position):
    """An example certificate in the file's form ISSUER:NUMBER:VALID_TO."""
    until = f"{2027 + position % 3}-{1 + position % 12:02}-28"
    number = f"CARG{position:014}" if issuer == "GACC" else f"EJEMPLO-{position:04}"
    return f"{issuer}:{number}:{until}"


def gtin(position):
    """An example GTIN-13 with a right check digit, under 779 (Argentina)."""
    twelve = f"77999999{position:04}"
    total = sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(twelve))
    return twelve + str(-total % 10)


def sellers():
    """By province letter, the example exporters that may sell anything, in file order."""
    found = {}
    for one in exporters():
        if one["status"] == "ELIGIBLE" and not one["ncm_chapters"]:
            found.setdefault(one["province"][3:], []).append(one["cuit"])
    return found


def listings():
    """The listings in file order, as dicts of the listings format."""
    by_province, used = sellers(), {}
    for position, row in enumerate(ROWS, start=1):
        sku, title, ncm, unit, factor, price, province, channel, has_gtin = row
        turn = used.get(province, 0)
        used[province] = turn + 1
        yield {
            "sku": "AR-" + sku,
            "seller_cuit": by_province[province][turn % 5],
            "title": title,
            "ncm": ncm,
            "gtin": gtin(position) if has_gtin == "y" else "",
            "channel": "OFFICIAL_STORE" if channel == "O" else "SELLER_STORE",
            "unit": "C62",
            "statistical_unit": unit,
            "statistical_factor": factor,
            "price": price,
            "currency": "USD",
            "certificates": ";".join(certificate(i, position) for i in ISSUERS[ncm[:2]]),
            "destination": "CN",
            "producer": f"{MAKERS.get(sku[:4], 'Productor')} de ejemplo, {PLACES[province]}",
            "origin": "AR-" + province,
        }


def main():
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = csv.DictWriter(out, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(listings())
    out.flush()


if __name__ == "__main__":
    main()
